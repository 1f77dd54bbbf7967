-- Commits a packed segment: the beginning or the end of a staging list becomes one blob, its records are dropped.
-- KEYS: 1 staging list, 2 tier hash, 3 tier index, 4 tier totals, 5 hash of staged counts, 6 ledger hash, 7 list of
--       segments that come back by themselves, 8 zset of segments by cause, 9 hash of segments on their way
-- ARGV: 1 fence, 2 owner, 3 segment id, 4 blob ('' it is on the overflow server, and KEYS 9 says that it was written),
--       5 score (enqueue time of the first job, s), 6 ids packed (n), 7 ids whose record was gone (vanished), 8 first id,
--       9 last id of the n + vanished staged ids, 10 where they lie in the staging list (head|tail), 11 end of the list
--       of KEYS 7 that the segment joins (head|tail; '' none: it is parked), 12 reason, 13 jobs of stock producers that
--       nobody counted in, then the n ids
-- Returns: 1 done, 0 when the staging list changed meanwhile, or the blob's permission to be written was withdrawn
--          (nothing was touched).
-- @include fence
-- @include push
-- @include segment
local packed, vanished = tonumber(ARGV[6]), tonumber(ARGV[7])
local all, id, from_head = packed + vanished, ARGV[3], ARGV[10] == 'head'
local first, last = 0, all - 1
if not from_head then first, last = -all, -1 end
if redis.call('LINDEX', KEYS[1], first) ~= ARGV[8] or redis.call('LINDEX', KEYS[1], last) ~= ARGV[9] then return 0 end
local away = packed > 0 and ARGV[4] == ''
if away then
  if string.sub(redis.call('HGET', KEYS[9], id) or '', 1, 7) ~= 'writing' then return 0 end
  redis.call('HDEL', KEYS[9], id)
end
if from_head then redis.call('LTRIM', KEYS[1], all, -1) else redis.call('LTRIM', KEYS[1], 0, -all - 1) end
if redis.call('HINCRBY', KEYS[5], ARGV[2], -all) <= 0 then
  redis.call('HDEL', KEYS[5], ARGV[2])
  redis.call('HDEL', KEYS[5] .. ':ends', ARGV[2])
end
if vanished > 0 then redis.call('HINCRBY', KEYS[6], 'vanished', vanished) end
if packed == 0 then return 1 end
redis.call('HSET', KEYS[2], id, ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[5], id)
redis.call('ZADD', KEYS[8], 0, by_cause(id))
redis.call('HINCRBY', KEYS[4], 'jobs', packed)
redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[4])
redis.call('HINCRBY', KEYS[4], 'reason:' .. ARGV[12], packed)
if ARGV[13] ~= '0' then redis.call('HINCRBY', KEYS[4], 'foreign', ARGV[13]) end
if away then redis.call('HINCRBY', KEYS[4], 'away', packed) end
if ARGV[11] ~= '' then
  redis.call(ARGV[11] == 'head' and 'LPUSH' or 'RPUSH', KEYS[7], id)
  redis.call('HINCRBY', KEYS[4], 'returning', packed)
end
local gone = {}
for position = 14, #ARGV do gone[#gone + 1] = '@RQ@:job:' .. ARGV[position] end
unlink_all(gone)
return 1
