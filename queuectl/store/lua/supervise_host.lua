-- Lets one daemon a host run its workers, and says which hosts share each of its pools.
-- KEYS: 1 the host's supervisor
-- ARGV: 1 daemon id (host:pid), 2 how long this holds (ms), 3 host, 4 seconds a host counts after its last call, then pools
-- Returns: {1, {host, ...} for each pool in the order given}, or {0} when another daemon runs this host's workers.
-- @include clock
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local reply = {1}
for position = 5, #ARGV do
  local key = '@OURS@:pool:' .. ARGV[position] .. ':hosts'
  redis.call('ZADD', key, now, ARGV[3])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[4]))
  reply[#reply + 1] = redis.call('ZRANGE', key, 0, -1)
end
return reply
