-- Forgets a pool that no settings name any more, unless somebody changed it meanwhile or a host still shares it.
-- KEYS: 1 pool hash, 2 zset of its hosts by heartbeat, 3 set of pools
-- ARGV: 1 fence, 2 pool name, 3 version it was read with, 4 seconds a host counts after its last call
-- Returns: 1 forgotten, 0 kept.
-- @include fence
-- @include clock
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[3] then return 0 end
if redis.call('ZCOUNT', KEYS[2], now - tonumber(ARGV[4]), '+inf') > 0 then return 0 end
redis.call('SREM', KEYS[3], ARGV[2])
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
