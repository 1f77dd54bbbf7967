-- Drops one packed segment that has been kept for long enough, and counts its jobs as expired. Idempotent by segment id.
-- KEYS: 1 tier hash, 2 tier index, 3 zset of segments by cause, 4 tier totals, 5 ledger hash
-- ARGV: 1 fence, 2 segment id, 3 its jobs, 4 its reason, 5 jobs of stock producers among them that nobody counted in
-- Returns: 1, or 0 when it is gone (a replay was first).
-- @include fence
-- @include segment
local id, jobs, uncounted = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local bytes = redis.call('HSTRLEN', KEYS[1], id)
if redis.call('HDEL', KEYS[1], id) == 0 then return 0 end
redis.call('ZREM', KEYS[2], id)
redis.call('ZREM', KEYS[3], by_cause(id))
redis.call('HINCRBY', KEYS[4], 'jobs', -jobs)
redis.call('HINCRBY', KEYS[4], 'bytes', -bytes)
if redis.call('HINCRBY', KEYS[4], 'reason:' .. ARGV[4], -jobs) <= 0 then
  redis.call('HDEL', KEYS[4], 'reason:' .. ARGV[4])
end
if uncounted > 0 then redis.call('HINCRBY', KEYS[4], 'foreign', -uncounted) end
redis.call('HINCRBY', KEYS[5], 'expired', jobs - uncounted)
return 1
