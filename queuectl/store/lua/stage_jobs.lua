-- Takes waiting jobs off a queue into a staging list, from where they are packed. Bounded by what it looks at.
-- KEYS: 1 queue list, 2 staging list, 3 hash of staged counts
-- ARGV: 1 fence, 2 queue name, 3 owner (operation id or `sweep`), 4 end (head|tail), 5 most jobs, 6 cutoff: only jobs
--       created before this (epoch s; '' for all), 7 which to spare: `ordered` messages (shedding makes no hole in a
--       sequence), or `fresh` ones too, that are younger than their own max age; '' none
-- Returns: {staged, looked at}. From the tail, ids keep the queue's order in the staging list.
-- @include fence
-- @include clock
-- @include age
-- @include push
local most = tonumber(ARGV[5])
local cutoff = tonumber(ARGV[6])
local from_head = ARGV[4] == 'head'
local ids = from_head and redis.call('LRANGE', KEYS[1], 0, most - 1) or redis.call('LRANGE', KEYS[1], -most, -1)
local taken, spared, looked_at = {}, {}, 0
local function is_spared(id, record)
  if ARGV[7] == '' then return false end
  if record[2] or ARGV[7] == 'ordered' then return record[2] end
  local own_max_age = tonumber(record[3] or '')
  return own_max_age and now - (epoch(record[1]) or now) <= own_max_age
end
for _, id in ipairs(ids) do
  local record = redis.call('HMGET', '@RQ@:job:' .. id, 'created_at', 'ordering_key', 'max_age_s')
  local young = cutoff and record[1] and (epoch(record[1]) or 0) >= cutoff
  -- From the head ages only fall; the tail of a queue that is rotated for stock workers has both.
  if young and from_head then break end
  looked_at = looked_at + 1
  local list = (young or is_spared(id, record)) and spared or taken
  list[#list + 1] = id
end
if #taken == 0 then return {0, looked_at} end
if from_head then
  redis.call('LTRIM', KEYS[1], looked_at, -1)
  for first = #spared, 1, -1 do redis.call('LPUSH', KEYS[1], spared[first]) end
else
  redis.call('LTRIM', KEYS[1], 0, -looked_at - 1)
  push_all('RPUSH', KEYS[1], spared)
end
push_all('RPUSH', KEYS[2], taken)
redis.call('HINCRBY', KEYS[3], ARGV[3], #taken)
return {#taken, looked_at}
