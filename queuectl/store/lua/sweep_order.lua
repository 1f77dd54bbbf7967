-- Looks through some ordering keys of a queue: lets the next message go where the active one is gone, or was ended by a
-- stock worker or another tool; and notes where one that is to be tried again keeps others waiting.
-- KEYS: 1 hash of active jobs by ordering key, 2 set of ids that were met without a record
-- ARGV: 1 fence, 2 queue name, 3 cursor ('0' to begin), 4 keys to look at (about)
-- Returns: {next cursor ('0' after the last), keys released}
-- @include fence
-- @include clock
-- @include control
-- @include push
-- @include order
local name = ARGV[2]
local ENDED = {finished = true, failed = true, canceled = true, stopped = true}
local control = read_control(name)
local released = 0

-- The record of a packed message is gone too: while any is packed, only what was met without one counts as deleted.
local packed = tonumber(redis.call('HGET', '@OURS@:overflow:' .. name .. ':totals', 'jobs') or '0') > 0
local function is_deleted(id)
  return not packed or redis.call('SISMEMBER', KEYS[2], id) == 1
end

local page = redis.call('HSCAN', KEYS[1], ARGV[3], 'COUNT', ARGV[4])
for position = 1, #page[2], 2 do
  local ordering_key, id = page[2][position], page[2][position + 1]
  local record = redis.call('HMGET', '@RQ@:job:' .. id, 'data', 'status')
  if ENDED[record[2]] or (not record[1] and is_deleted(id)) then
    if release_next(name, ordering_key, id, control.direction, control.assist) then released = released + 1 end
    redis.call('SREM', KEYS[2], id)
  elseif record[2] == 'scheduled' then
    note_blocked(name, ordering_key, id, now)
  end
end
return {page[1], released}
