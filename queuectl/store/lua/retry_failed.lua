-- Puts failed jobs back on their queue, attempts counted anew.
-- KEYS: 1 failed registry, 2 queue list, 3 set of queues
-- ARGV: 1 queue name, then ids
-- Returns: {requeued, vanished}. Jobs under rq's RateLimit are left alone; rq itself knows their slots.
-- @include clock
-- @include push
local back, vanished = {}, 0
for position = 2, #ARGV do
  local id = ARGV[position]
  local job_key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', job_key, 'data', 'rate_limit_key')
  if record[1] and not record[2] and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('HSET', job_key, 'status', 'queued', 'enqueued_at', now_iso, 'number_of_retries', 0)
    redis.call('HDEL', job_key, 'losses', 'ended_at', 'started_at')
    back[#back + 1] = id
  elseif not record[1] and redis.call('ZREM', KEYS[1], id) == 1 then
    vanished = vanished + 1
  end
end
push_all('RPUSH', KEYS[2], back)
if #back > 0 then redis.call('SADD', KEYS[3], KEYS[2]) end
if vanished > 0 then redis.call('HINCRBY', '@OURS@:ledger:' .. ARGV[1], 'vanished', vanished) end
return {#back, vanished}
