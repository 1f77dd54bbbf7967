-- LIFO for workers that can only pop the head (stock rq): brings the newest arrivals to the front, newest first, and
-- among them one in five of what has waited long.
-- KEYS: 1 queue list, 2 control hash
-- ARGV: 1 fence, 2 most arrivals
-- Returns: arrivals rotated. The control hash remembers the tail below which nothing is new.
-- @include fence
-- @include age
-- @include push
local BETWEEN = 4
local newest = redis.call('LRANGE', KEYS[1], -tonumber(ARGV[2]), -1)
if #newest == 0 then return 0 end
local state = redis.call('HMGET', KEYS[2], 'settled_tail', 'rotated_owed')
local settled, owed = state[1], tonumber(state[2] or '0')
local fresh = {}
for position = #newest, 1, -1 do
  if newest[position] == settled then break end
  fresh[#fresh + 1] = newest[position]
end
if #fresh == 0 then return 0 end
-- More arrived than one call rotates: the next call goes on from here, the settled part stays what it is. Where the
-- settled part is gone, as before the first rotation, what is not rotated now becomes the settled part.
local goes_on = settled and #fresh == #newest and redis.call('LPOS', KEYS[1], settled, 'RANK', -1, 'MAXLEN', 20000)
redis.call('LTRIM', KEYS[1], 0, -#fresh - 1)

local function born(id) return id and epoch(redis.call('HGET', '@RQ@:job:' .. id, 'created_at')) or math.huge end
-- The head while nothing was rotated or all of that is claimed, else the tail: whichever is older.
local function take_oldest(number)
  local from_head = born(redis.call('LINDEX', KEYS[1], 0)) < born(redis.call('LINDEX', KEYS[1], -1))
  return redis.call(from_head and 'LPOP' or 'RPOP', KEYS[1], number) or {}
end

-- Each of them comes after four arrivals, counted over all calls.
local due = math.floor((owed + #fresh) / BETWEEN)
local oldest = not goes_on and due > 0 and take_oldest(due) or {}
redis.call('HSET', KEYS[2], 'rotated_owed', (owed + #fresh) % BETWEEN)
local front = {}
for position, id in ipairs(fresh) do
  front[#front + 1] = id
  if (owed + position) % BETWEEN == 0 then front[#front + 1] = table.remove(oldest, 1) end
end
prepend_all(KEYS[1], front)
if not goes_on then redis.call('HSET', KEYS[2], 'settled_tail', redis.call('LINDEX', KEYS[1], -1)) end
return #fresh
