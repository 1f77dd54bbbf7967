-- Renews a worker's registration and the leases of what it has in flight.
-- KEYS: 1 worker hash, 2 worker's executions set, 3 zset of our workers' heartbeats
-- ARGV: 1 worker name, 2 state, 3 busy slots, 4 lease (s), 5 worker ttl (s), then 2 a job: queue, job id:execution id
-- Returns: {suspended (1/0), members whose lease was lost...}
-- @include clock
redis.call('HSET', KEYS[1], 'last_heartbeat', now_iso, 'state', ARGV[2], 'busy', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], 86400)
redis.call('ZADD', KEYS[3], now, ARGV[1])
local deadline = string.format('%.3f', now + tonumber(ARGV[4]))
local reply = {redis.call('EXISTS', '@RQ@:suspended')}
for first = 6, #ARGV, 2 do
  local registry, member = '@RQ@:wip:' .. ARGV[first], ARGV[first + 1]
  if redis.call('ZSCORE', registry, member) then
    redis.call('ZADD', registry, 'XX', deadline, member)
    local execution = '@RQ@:execution:' .. member
    if redis.call('EXPIRE', execution, 86400) == 1 then redis.call('HSET', execution, 'last_heartbeat', now) end
  else
    reply[#reply + 1] = member
  end
end
return reply
