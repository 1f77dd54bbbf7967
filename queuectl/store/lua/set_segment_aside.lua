-- Takes a segment that cannot be read out of the line of those that come back, or lets it in again; it stays stored.
-- KEYS: 1 tier hash, 2 tier index, 3 zset of segments by cause, 4 tier totals, 5 hash of damaged segments, 6 list of
--       segments that come back by themselves
-- ARGV: 1 fence, 2 segment id, 3 what is wrong with it ('' it can be read after all), 4 its jobs
-- Returns: 1, or 0 when it is gone or was so already.
-- @include fence
-- @include segment
local id, jobs = ARGV[2], tonumber(ARGV[4])
if redis.call('HEXISTS', KEYS[1], id) == 0 then return 0 end
local damaged = redis.call('HEXISTS', KEYS[5], id) == 1
if damaged == (ARGV[3] ~= '') then return 0 end
if damaged then
  redis.call('HDEL', KEYS[5], id)
  redis.call('ZADD', KEYS[2], 0, id)
  redis.call('ZADD', KEYS[3], 0, by_cause(id))
  redis.call('HINCRBY', KEYS[4], 'damaged', -jobs)
  return 1
end
redis.call('HSET', KEYS[5], id, ARGV[3])
redis.call('ZREM', KEYS[2], id)
redis.call('ZREM', KEYS[3], by_cause(id))
redis.call('HINCRBY', KEYS[4], 'damaged', jobs)
if redis.call('LREM', KEYS[6], 1, id) == 1 then redis.call('HINCRBY', KEYS[4], 'returning', -jobs) end
return 1
