-- Moves waiting jobs from one queue to the tail of another; both ledgers count them.
-- KEYS: 1 from list, 2 to list, 3 from ledger, 4 to ledger, 5 set of queues
-- ARGV: 1 fence, 2 new queue name, 3 end to take from (head|tail), 4 most, 5 cutoff (created before, epoch s; '' all),
--       6 operation id to mark with, 7 only jobs marked with this operation id ('' all)
-- Returns: {moved, looked at}. Ordered messages stay: their sequence belongs to their queue.
-- @include fence
-- @include age
-- @include push
local cutoff = tonumber(ARGV[5])
local from_head = ARGV[3] == 'head'
local most = tonumber(ARGV[4])
local ids = from_head and redis.call('LRANGE', KEYS[1], 0, most - 1) or redis.call('LRANGE', KEYS[1], -most, -1)
local moved, kept, looked_at, vanished = {}, {}, 0, 0
for _, id in ipairs(ids) do
  local record = redis.call('HMGET', '@RQ@:job:' .. id, 'created_at', 'ordering_key', 'moved_by', 'data')
  if cutoff and record[1] and (epoch(record[1]) or 0) >= cutoff then break end
  looked_at = looked_at + 1
  if not record[4] then
    vanished = vanished + 1
  elseif record[2] or (ARGV[7] ~= '' and record[3] ~= ARGV[7]) then
    kept[#kept + 1] = id
  else
    moved[#moved + 1] = id
    redis.call('HSET', '@RQ@:job:' .. id, 'origin', ARGV[2], 'moved_by', ARGV[6])
  end
end
if looked_at == 0 then return {0, 0} end
if from_head then
  redis.call('LTRIM', KEYS[1], looked_at, -1)
else
  redis.call('LTRIM', KEYS[1], 0, -looked_at - 1)
end
if ARGV[7] ~= '' then
  push_all('RPUSH', KEYS[1], kept)
elseif from_head then
  for last = #kept, 1, -1 do redis.call('LPUSH', KEYS[1], kept[last]) end
else
  push_all('RPUSH', KEYS[1], kept)
end
push_all('RPUSH', KEYS[2], moved)
redis.call('SADD', KEYS[5], KEYS[2])
if vanished > 0 then redis.call('HINCRBY', KEYS[3], 'vanished', vanished) end
redis.call('HINCRBY', KEYS[3], 'moved_out', #moved)
redis.call('HINCRBY', KEYS[4], 'moved_in', #moved)
return {#moved, looked_at}
