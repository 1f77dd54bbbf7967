-- Names segments on the overflow server that nothing here refers to: left there by a process that died. They are marked
-- first, so that a writer that was merely slow cannot commit them any more.
-- KEYS: 1 hash of segments on their way
-- ARGV: 1 fence, 2 what was begun before this is given up (epoch s), 3 most
-- Returns: segment ids to delete from the overflow server.
-- @include fence
local gone = {}
local all = redis.call('HLEN', KEYS[1]) > 0 and redis.call('HSCAN', KEYS[1], 0, 'COUNT', ARGV[3])[2] or {}
for position = 1, math.min(#all, 2 * tonumber(ARGV[3])), 2 do
  local id, state = all[position], all[position + 1]
  local begun = tonumber(string.match(state, '^writing (.+)$') or '')
  if not begun or begun < tonumber(ARGV[2]) then
    if begun then redis.call('HSET', KEYS[1], id, 'leaving') end
    gone[#gone + 1] = id
  end
end
return gone
