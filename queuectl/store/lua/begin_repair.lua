-- Whether repair may take workers for dead. Not for a while after nobody looked: where the server was away, living
-- workers' heartbeats are as old as the dead ones'.
-- KEYS: 1 hash of what repair remembers
-- ARGV: 1 fence, 2 gap between two looks that is none yet (s), 3 how long it then waits (s)
-- Returns: 1 / 0
-- @include fence
-- @include clock
local kept = redis.call('HMGET', KEYS[1], 'seen', 'grace_until')
local grace_until = tonumber(kept[2] or '0')
if kept[1] and now - tonumber(kept[1]) > tonumber(ARGV[2]) then grace_until = now + tonumber(ARGV[3]) end
redis.call('HSET', KEYS[1], 'seen', string.format('%.3f', now), 'grace_until', string.format('%.3f', grace_until))
return now >= grace_until and 1 or 0
