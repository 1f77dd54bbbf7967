-- Takes waiting jobs off a queue into a staging list, from where they are packed or moved. Bounded by what it looks at.
-- KEYS: 1 queue list, 2 staging list, 3 hash of staged counts, 4 list where what is spared is put aside meanwhile
-- ARGV: 1 fence, 2 owner (operation id or `sweep`), 3 end (head|tail), 4 most jobs, 5 cutoff: only jobs created before
--       this (epoch s; '' for all), 6 which to spare: `ordered` messages (shedding makes no hole in a sequence), `fresh`
--       ones too, that are younger than their own max age or have come back from the shed store, or those `unmarked` by
--       an operation; '' none, 7 owner of what is put aside ('' spared ids stay at their end; `unmarked` ones go to the
--       other end), 8 the operation whose mark counts
-- Returns: {staged, looked at, put aside}. Ids keep the queue's order in the lists.
-- @include fence
-- @include clock
-- @include age
-- @include push
local from_head, most, cutoff, spare = ARGV[3] == 'head', tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local ids = from_head and redis.call('LRANGE', KEYS[1], 0, most - 1) or redis.call('LRANGE', KEYS[1], -most, -1)
local taken, spared, looked_at = {}, {}, 0

local function is_spared(record)
  if spare == 'unmarked' then return record[4] ~= ARGV[8] or record[2] end
  if spare == 'ordered' or record[2] then return record[2] end
  local own_max_age = tonumber(record[3] or '')
  return record[5] or own_max_age and now - (epoch(record[1]) or now) <= own_max_age
end

local function add_to(list, owner, added)
  if #added == 0 then return end
  if from_head then push_all('RPUSH', list, added) else prepend_all(list, added) end
  redis.call('HINCRBY', KEYS[3], owner, #added)
  redis.call('HSET', KEYS[3] .. ':ends', owner, ARGV[3])
end

-- Takes the place of a settled tail that is taken: what stood before it is settled too (rotate_newest.lua).
local function settle_tail()
  local control = '@OURS@:control:' .. string.sub(KEYS[1], #'@RQ@:queue:' + 1)
  local settled = redis.call('HGET', control, 'settled_tail')
  for _, id in ipairs(settled and taken or {}) do
    if id == settled then redis.call('HSET', control, 'settled_tail', redis.call('LINDEX', KEYS[1], -1) or '') end
  end
end

if not cutoff and spare == '' then
  taken, looked_at = ids, #ids
else
  for _, id in ipairs(ids) do
    local record = redis.call('HMGET', '@RQ@:job:' .. id, 'created_at', 'ordering_key', 'max_age_s', 'moved_by', 'spared')
    local young = cutoff and record[1] and (epoch(record[1]) or 0) >= cutoff
    -- From the head ages only fall; the tail of a queue that is rotated for stock workers has both.
    if young and from_head then break end
    looked_at = looked_at + 1
    local list = (young or spare ~= '' and is_spared(record)) and spared or taken
    list[#list + 1] = id
  end
end
if looked_at == 0 then return {0, 0, 0} end
if #taken == 0 and ARGV[7] == '' and spare ~= 'unmarked' then return {0, looked_at, 0} end
if from_head then
  redis.call('LTRIM', KEYS[1], looked_at, -1)
else
  redis.call('LTRIM', KEYS[1], 0, -looked_at - 1)
  settle_tail()
end
add_to(KEYS[2], ARGV[2], taken)
if ARGV[7] ~= '' then
  add_to(KEYS[4], ARGV[7], spared)
  return {#taken, looked_at, #spared}
end
if from_head == (spare == 'unmarked') then push_all('RPUSH', KEYS[1], spared) else prepend_all(KEYS[1], spared) end
return {#taken, looked_at, 0}
