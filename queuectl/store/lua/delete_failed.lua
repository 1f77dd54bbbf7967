-- Deletes failed jobs for good, with everything RQ keeps of them.
-- KEYS: 1 failed registry, 2 ledger hash
-- ARGV: ids
-- Returns: number deleted.
-- @include push
local gone, deleted = {}, 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], id) == 1 then
    deleted = deleted + 1
    for _, kind in ipairs({'job', 'results', 'executions'}) do gone[#gone + 1] = '@RQ@:' .. kind .. ':' .. id end
    gone[#gone + 1] = '@RQ@:job:' .. id .. ':dependents'
    gone[#gone + 1] = '@RQ@:job:' .. id .. ':dependencies'
  end
end
unlink_all(gone)
if deleted > 0 then redis.call('HINCRBY', KEYS[2], 'deleted', deleted) end
return deleted
