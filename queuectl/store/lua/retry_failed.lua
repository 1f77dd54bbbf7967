-- Puts failed jobs back on their queue, attempts counted anew; those of an ordering key that is busy wait behind it.
-- KEYS: 1 failed registry, 2 queue list, 3 set of queues
-- ARGV: 1 fence, 2 queue name, then ids
-- Returns: {requeued, vanished}. Jobs under rq's RateLimit are left alone; rq itself knows their slots.
-- @include fence
-- @include clock
-- @include push
-- @include order
local back, requeued, vanished = {}, 0, 0
for position = 3, #ARGV do
  local id = ARGV[position]
  local job_key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', job_key, 'data', 'rate_limit_key', 'ordering_key')
  if record[1] and not record[2] and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('HSET', job_key, 'status', 'queued', 'enqueued_at', now_iso, 'number_of_retries', 0)
    redis.call('HDEL', job_key, 'losses', 'ended_at', 'started_at')
    requeued = requeued + 1
    if not record[3] or may_go(ARGV[2], record[3], id) then back[#back + 1] = id end
  elseif not record[1] and redis.call('ZREM', KEYS[1], id) == 1 then
    vanished = vanished + 1
  end
end
push_all('RPUSH', KEYS[2], back)
if #back > 0 then redis.call('SADD', KEYS[3], KEYS[2]) end
if vanished > 0 then redis.call('HINCRBY', '@OURS@:ledger:' .. ARGV[2], 'vanished', vanished) end
return {requeued, vanished}
