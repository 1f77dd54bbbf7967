-- Puts due scheduled jobs (RQ's enqueue_at/in, and retries) back on their queue.
-- KEYS: 1 scheduled registry, 2 queue list, 3 set of queues
-- ARGV: 1 fence, 2 queue name, 3 most jobs
-- Returns: number promoted. Jobs under rq's RateLimit are left to rq's own scheduler, which knows their slots.
-- @include fence
-- @include clock
-- @include push
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
local tail, head, done = {}, {}, {}
for _, id in ipairs(due) do
  local job_key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', job_key, 'data', 'enqueue_at_front', 'rate_limit_key')
  if not record[1] then
    done[#done + 1] = id
    redis.call('HINCRBY', '@OURS@:ledger:' .. ARGV[2], 'vanished', 1)
  elseif not record[3] then
    done[#done + 1] = id
    redis.call('HSET', job_key, 'status', 'queued', 'enqueued_at', now_iso)
    local list = record[2] == '1' and head or tail
    list[#list + 1] = id
  end
end
push_all('ZREM', KEYS[1], done)
push_all('RPUSH', KEYS[2], tail)
push_all('LPUSH', KEYS[2], head)
if #tail + #head > 0 then redis.call('SADD', KEYS[3], KEYS[2]) end
return #tail + #head
