-- Sweeps what lies too much in a FIFO queue's primary tier to the end of the tiers behind it. Where that does not fit one
-- call it lies in a list of its own meanwhile, of which each further call moves a piece.
-- KEYS: 1 queue list, 2 surge list, 3 swept list (staging, owner `swept`), 4 hash of staged counts, 5 control hash
-- ARGV: 1 fence, 2 queue name, 3 ids the primary keeps while nothing waits behind it, 4 '1': stock producers push to it,
--       so that what lies beyond the last refill is newer than all that waits behind it
-- Returns: {ids swept, ids at the head of the swept list that belong back to the primary}.
-- @include fence
-- @include clock
-- @include control
-- @include push
-- @include surge
local name, keep = ARGV[2], tonumber(ARGV[3])
local function put_to_the_end(ids)
  local list, owner = arrival_list(name, read_control(name))
  push_all('RPUSH', list, ids)
  if owner then redis.call('HINCRBY', KEYS[4], owner, #ids) end
  return {#ids, 0}
end

if redis.call('EXISTS', KEYS[3]) == 1 then
  local ids = redis.call('LPOP', KEYS[3], 1000)
  unstaged(name, 'swept', #ids)
  return put_to_the_end(ids)
end
local depth, behind, target = redis.call('LLEN', KEYS[1]), waiting_behind(name) > 0, KEYS[2]
if behind then
  if ARGV[4] ~= '1' then return {0, 0} end
  local settled = redis.call('HGET', KEYS[5], 'refilled_tail')
  local place = settled and redis.call('LPOS', KEYS[1], settled, 'MAXLEN', 20000)
  keep, target = place and place + 1 or 0, KEYS[3]
end
local excess = depth - keep
if excess <= 0 then return {0, 0} end
if behind and excess <= 1000 then
  local ids = redis.call('RPOP', KEYS[1], excess)
  for first = 1, math.floor(excess / 2) do
    ids[first], ids[excess + 1 - first] = ids[excess + 1 - first], ids[first]
  end
  return put_to_the_end(ids)
end
-- However long the list, it is renamed as a whole, and its beginning comes back.
redis.call('RENAME', KEYS[1], target)
local ids = keep > 0 and redis.call('LPOP', target, math.min(keep, 1000)) or {}
push_all('RPUSH', KEYS[1], ids)
if #ids > 0 then redis.call('HSET', KEYS[5], 'refilled_tail', ids[#ids]) end
if not behind then return {excess, 0} end
redis.call('HINCRBY', KEYS[4], 'swept', depth - #ids)
return {excess, keep - #ids}
