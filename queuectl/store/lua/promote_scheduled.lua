-- Puts due scheduled jobs (RQ's enqueue_at/in, and retries) back on their queue.
-- KEYS: 1 scheduled registry, 2 queue list, 3 set of queues
-- ARGV: 1 fence, 2 queue name, 3 most jobs to look at, 4 most retries among them to promote, 5 where to begin: least
--       score as ZRANGEBYSCORE takes it
-- Returns: {promoted, retries among them, score of the last looked at ('' nothing more is due)}. Jobs under rq's
--          RateLimit are left to rq's own scheduler, which knows their slots.
-- @include fence
-- @include clock
-- @include push
-- @include order
local due = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[5], now, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local tail, head, done = {}, {}, {}
local left, retries = tonumber(ARGV[4]), 0
for first = 1, #due, 2 do
  local id = due[first]
  local job_key = '@RQ@:job:' .. id
  local record = redis.call('HMGET', job_key, 'data', 'enqueue_at_front', 'rate_limit_key', 'number_of_retries')
  if not record[1] then
    done[#done + 1] = id
    redis.call('HINCRBY', '@OURS@:ledger:' .. ARGV[2], 'vanished', 1)
    note_gone(ARGV[2], id)
  elseif not record[3] and not (record[4] and retries >= left) then
    if record[4] then retries = retries + 1 end
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
return {#tail + #head, retries, #due == 2 * tonumber(ARGV[3]) and due[#due] or ''}
