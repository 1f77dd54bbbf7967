-- Brings a packed segment back: writes its records, pushes its ids, drops the blob. Idempotent by segment id.
-- KEYS: 1 queue list, 2 tier hash, 3 tier index, 4 tier totals, 5 ledger hash, 6 set of queues
-- ARGV: 1 fence, 2 segment id, 3 end to push to (head|tail), 4 jobs in the segment, then a job: id, number of field
--       arguments, field, value, ...
-- Returns: {restored, skipped because a job with that id exists again, -1 in place of restored when the segment is gone}
-- @include fence
-- @include push
local blob_bytes = redis.call('HSTRLEN', KEYS[2], ARGV[2])
if blob_bytes == 0 then return {-1, 0} end
local ids, skipped, position = {}, 0, 5
while position <= #ARGV do
  local id, width = ARGV[position], tonumber(ARGV[position + 1])
  local key = '@RQ@:job:' .. id
  if redis.call('EXISTS', key) == 1 then
    skipped = skipped + 1
  else
    redis.call('HSET', key, unpack(ARGV, position + 2, position + 1 + width))
    ids[#ids + 1] = id
  end
  position = position + 2 + width
end
if ARGV[3] == 'tail' then
  push_all('RPUSH', KEYS[1], ids)
else
  for last = #ids, 1, -1 do redis.call('LPUSH', KEYS[1], ids[last]) end
end
redis.call('SADD', KEYS[6], KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HINCRBY', KEYS[4], 'jobs', -tonumber(ARGV[4]))
redis.call('HINCRBY', KEYS[4], 'bytes', -blob_bytes)
if skipped > 0 then redis.call('HINCRBY', KEYS[5], 'deleted', skipped) end
return {#ids, skipped}
