-- Counts the end of one of our messages that a stock rq worker ran, and lets the next of its ordering key go.
-- KEYS: 1 job hash, 2 ledger hash
-- ARGV: 1 queue name, 2 job id, 3 delivered (1/0), 4 ordering key ('' for none), 5 reason ('' when delivered)
-- Returns: 1
-- @include clock
-- @include control
-- @include push
-- @include order
local name = ARGV[1]
if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[2], 'delivered', 1) end
if ARGV[5] ~= '' and redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'reason', ARGV[5]) end
if ARGV[4] ~= '' then
  local control = read_control(name)
  release_next(name, ARGV[4], ARGV[2], control.direction, control.assist)
end
return 1
