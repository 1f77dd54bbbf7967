-- Sets what waits aside while a queue is paused whose workers do not ask us (stock rq), and brings it back in order.
-- KEYS: 1 queue list, 2 list of what is set aside (older than everything in the queue)
-- ARGV: 1 fence, 2 queue name, 3 `aside` or `back`, 4 most ids a call moves one by one
-- Returns: {moved, left to move}; nothing is moved when the pause is not (or no longer) what the caller took it for.
-- Whole lists are renamed, whatever their length.
-- @include fence
-- @include clock
-- @include control
-- @include push
local paused = read_control(ARGV[2]).pause == 'on'
if paused ~= (ARGV[3] == 'aside') then return {0, 0} end
local most = tonumber(ARGV[4])
local waiting, aside = redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2])
local from, to = KEYS[2], KEYS[1]
if paused then from, to = KEYS[1], KEYS[2] end
if redis.call('EXISTS', from) == 0 then return {0, 0} end
if redis.call('EXISTS', to) == 0 then
  redis.call('RENAME', from, to)
  return {waiting + aside, 0}
end
if paused then
  local ids = redis.call('LPOP', KEYS[1], most)
  push_all('RPUSH', KEYS[2], ids)
  return {#ids, waiting - #ids}
end
if waiting <= most then
  push_all('RPUSH', KEYS[2], redis.call('LRANGE', KEYS[1], 0, -1))
  redis.call('RENAME', KEYS[2], KEYS[1])
  return {aside, 0}
end
if aside <= waiting then
  local ids = redis.call('RPOP', KEYS[2], most)
  push_all('LPUSH', KEYS[1], ids)
  return {#ids, aside - #ids}
end
local ids = redis.call('LPOP', KEYS[1], most)
push_all('RPUSH', KEYS[2], ids)
return {#ids, aside + #ids}
