-- Takes or renews the leader's lease. A new leader gets a new epoch, so that an old one's writes are refused.
-- KEYS: 1 lease, 2 epoch, 3 zset of hosts
-- ARGV: 1 daemon id (host:pid), 2 lease value held before ('' none), 3 lease (ms), 4 host
-- Returns: {lease value held now ('' when another leads), the leader's lease value}
-- @include clock
redis.call('ZADD', KEYS[3], now, ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 3600)
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[2] then return {'', current} end
local value = current
if not value then value = ARGV[1] .. '|' .. redis.call('INCR', KEYS[2]) end
redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
return {value, value}
