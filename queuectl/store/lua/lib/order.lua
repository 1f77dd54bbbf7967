-- Lets the next message of an ordering key go, after the active one has ended. Needs push.lua.
local function release_next(name, ordering_key, job_id, direction, assist)
  local active = '@OURS@:order:' .. name
  if redis.call('HGET', active, ordering_key) ~= job_id then return end
  local following = redis.call('LPOP', active .. ':' .. ordering_key)
  while following do
    redis.call('ZREM', '@RQ@:deferred:' .. name, following)
    if redis.call('EXISTS', '@RQ@:job:' .. following) == 1 then
      redis.call('HSET', active, ordering_key, following)
      redis.call('HSET', '@RQ@:job:' .. following, 'status', 'queued')
      push_next(name, {following}, direction, assist)
      return
    end
    redis.call('HINCRBY', '@OURS@:ledger:' .. name, 'vanished', 1)
    following = redis.call('LPOP', active .. ':' .. ordering_key)
  end
  redis.call('HDEL', active, ordering_key)
end
