-- LIFO for workers that can only pop the head (stock rq): brings the newest arrivals to the front, newest first.
-- KEYS: 1 queue list, 2 control hash
-- ARGV: 1 fence, 2 most jobs
-- Returns: jobs rotated. The control hash remembers the tail below which nothing is new.
-- @include fence
-- @include push
local newest = redis.call('LRANGE', KEYS[1], -tonumber(ARGV[2]), -1)
if #newest == 0 then return 0 end
local settled = redis.call('HGET', KEYS[2], 'settled_tail')
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
for last = #fresh, 1, -1 do redis.call('LPUSH', KEYS[1], fresh[last]) end
if not goes_on then redis.call('HSET', KEYS[2], 'settled_tail', redis.call('LINDEX', KEYS[1], -1)) end
return #fresh
