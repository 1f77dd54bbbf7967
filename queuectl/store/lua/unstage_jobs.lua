-- Puts staged ids back on the queue they came from, in order: a drain that was stopped or lost its operation.
-- KEYS: 1 queue list, 2 staging list, 3 hash of staged counts
-- ARGV: 1 fence, 2 owner, 3 end (head|tail; '' the one they were taken from), 4 most
-- Returns: ids put back.
-- @include fence
-- @include push
local from = ARGV[3] ~= '' and ARGV[3] or redis.call('HGET', KEYS[3] .. ':ends', ARGV[2]) or 'tail'
local ids
if from == 'tail' then
  ids = redis.call('LPOP', KEYS[2], ARGV[4]) or {}
  push_all('RPUSH', KEYS[1], ids)
else
  ids = redis.call('RPOP', KEYS[2], ARGV[4]) or {}
  push_all('LPUSH', KEYS[1], ids)
end
if #ids > 0 and redis.call('HINCRBY', KEYS[3], ARGV[2], -#ids) <= 0 then
  redis.call('HDEL', KEYS[3], ARGV[2])
  redis.call('HDEL', KEYS[3] .. ':ends', ARGV[2])
end
return #ids
