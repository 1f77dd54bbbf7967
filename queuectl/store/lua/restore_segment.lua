-- Brings jobs of a packed segment back: writes their records, pushes their ids, and drops the segment or puts what is
-- left of it in its place. Idempotent by segment id.
-- KEYS: 1 list to push to (the queue's or its surge list), 2 tier hash, 3 tier index, 4 tier totals, 5 ledger hash,
--       6 set of queues, 7 list of segments that come back by themselves, 8 zset of segments by cause, 9 hash of
--       segments on their way
-- ARGV: 1 fence, 2 queue name, 3 segment id, 4 end to push to (head|tail), 5 jobs brought back now, 6 reason, 7 jobs of
--       stock producers among them that nobody counted in, 8 1 to mark them as not to be shed again, 9 id of what is
--       left of the segment ('' nothing), 10 its blob, 11 its score, 12 jobs in the whole segment, then a job: id,
--       ordering key ('' none), number of field arguments, field, value, ...
-- Returns: {restored, skipped because a job with that id exists again}; restored is -1 when the segment is gone.
-- @include fence
-- @include push
-- @include order
-- @include segment
local name, segment, back, rest = ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[9]
if redis.call('HEXISTS', KEYS[2], segment) == 0 then return {-1, 0} end
local ids, skipped, restored, position = {}, 0, 0, 13
while position <= #ARGV do
  local id, ordering_key, width = ARGV[position], ARGV[position + 1], tonumber(ARGV[position + 2])
  local key = '@RQ@:job:' .. id
  if redis.call('EXISTS', key) == 1 then
    skipped = skipped + 1
  else
    redis.call('HSET', key, unpack(ARGV, position + 3, position + 2 + width))
    if ARGV[8] == '1' then redis.call('HSET', key, 'spared', '1') end
    restored = restored + 1
    if ordering_key == '' or may_go(name, ordering_key, id) then ids[#ids + 1] = id end
  end
  position = position + 3 + width
end
if ARGV[4] == 'tail' then push_all('RPUSH', KEYS[1], ids) else prepend_all(KEYS[1], ids) end
redis.call('SADD', KEYS[6], '@RQ@:queue:' .. name)

local blob_bytes = redis.call('HSTRLEN', KEYS[2], segment)
redis.call('HDEL', KEYS[2], segment)
redis.call('ZREM', KEYS[3], segment)
redis.call('ZREM', KEYS[8], by_cause(segment))
if blob_bytes == 0 then
  redis.call('HSET', KEYS[9], segment, 'leaving')
  redis.call('HINCRBY', KEYS[4], 'away', -tonumber(ARGV[12]))
end
if rest ~= '' then
  redis.call('HSET', KEYS[2], rest, ARGV[10])
  redis.call('ZADD', KEYS[3], ARGV[11], rest)
  redis.call('ZADD', KEYS[8], 0, by_cause(rest))
  redis.call('LINSERT', KEYS[7], 'BEFORE', segment, rest)
end
if redis.call('LREM', KEYS[7], 1, segment) == 1 then redis.call('HINCRBY', KEYS[4], 'returning', -back) end
redis.call('HINCRBY', KEYS[4], 'jobs', -back)
redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[10] - blob_bytes)
if redis.call('HINCRBY', KEYS[4], 'reason:' .. ARGV[6], -back) <= 0 then
  redis.call('HDEL', KEYS[4], 'reason:' .. ARGV[6])
end
if ARGV[7] ~= '0' then redis.call('HINCRBY', KEYS[4], 'foreign', '-' .. ARGV[7]) end
if skipped > 0 then redis.call('HINCRBY', KEYS[5], 'deleted', skipped) end
return {restored, skipped}
