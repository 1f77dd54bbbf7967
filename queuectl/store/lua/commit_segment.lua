-- Commits a packed segment: the head of a staging list becomes one blob, its records are dropped.
-- KEYS: 1 staging list, 2 tier hash, 3 tier index, 4 tier totals, 5 hash of staged counts, 6 ledger hash
-- ARGV: 1 fence, 2 owner, 3 segment id, 4 blob, 5 score (enqueue time of the first job, s), 6 ids packed (n), 7 cause,
--       8 ids whose record was gone (vanished), 9 first id, 10 last id of the n + vanished staged ids, then the n ids
-- Returns: 1 done, 0 when the staging list changed meanwhile (nothing was touched).
-- @include fence
-- @include push
local packed, vanished = tonumber(ARGV[6]), tonumber(ARGV[8])
local all = packed + vanished
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[9] or redis.call('LINDEX', KEYS[1], all - 1) ~= ARGV[10] then return 0 end
redis.call('LTRIM', KEYS[1], all, -1)
if redis.call('HINCRBY', KEYS[5], ARGV[2], -all) <= 0 then redis.call('HDEL', KEYS[5], ARGV[2]) end
if vanished > 0 then redis.call('HINCRBY', KEYS[6], 'vanished', vanished) end
if packed == 0 then return 1 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[3])
redis.call('HINCRBY', KEYS[4], 'jobs', packed)
redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[4])
local gone = {}
for position = 11, #ARGV do gone[#gone + 1] = '@RQ@:job:' .. ARGV[position] end
unlink_all(gone)
return 1
