-- Connections to a provider, over all workers: takes new ones up to the limit, renews what a worker holds.
-- KEYS: 1 zset of leases by expiry
-- ARGV: 1 most in all (0: no limit), 2 lease (s), 3 connection to take ('' none), then connections held
-- Returns: 1 taken (or none asked for), 0 the limit is reached.
-- @include clock
local expiry = string.format('%.3f', now + tonumber(ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now))
for position = 4, #ARGV do redis.call('ZADD', KEYS[1], expiry, ARGV[position]) end
if ARGV[3] == '' then return 1 end
local most = tonumber(ARGV[1])
if most > 0 and redis.call('ZCARD', KEYS[1]) >= most then return 0 end
redis.call('ZADD', KEYS[1], expiry, ARGV[3])
return 1
