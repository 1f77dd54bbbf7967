-- Deletes failed jobs for good, with everything RQ keeps of them. One that still holds its ordering key (rq failed it
-- on its own) lets the next go.
-- KEYS: 1 failed registry, 2 ledger hash
-- ARGV: 1 fence, 2 queue name, then ids
-- Returns: number deleted.
-- @include fence
-- @include clock
-- @include control
-- @include push
-- @include order
local name = ARGV[2]
local control = read_control(name)
local gone, deleted = {}, 0
for position = 3, #ARGV do
  local id = ARGV[position]
  if redis.call('ZREM', KEYS[1], id) == 1 then
    deleted = deleted + 1
    local ordering_key = redis.call('HGET', '@RQ@:job:' .. id, 'ordering_key')
    if ordering_key then release_next(name, ordering_key, id, control.direction, control.assist) end
    for _, kind in ipairs({'job', 'results', 'executions'}) do gone[#gone + 1] = '@RQ@:' .. kind .. ':' .. id end
    gone[#gone + 1] = '@RQ@:job:' .. id .. ':dependents'
    gone[#gone + 1] = '@RQ@:job:' .. id .. ':dependencies'
  end
end
unlink_all(gone)
if deleted > 0 then redis.call('HINCRBY', KEYS[2], 'deleted', deleted) end
return deleted
