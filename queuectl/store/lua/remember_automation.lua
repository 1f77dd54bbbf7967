-- Keeps what automation remembers, and the limits that admission applies until they lapse.
-- KEYS: 1 memory string
-- ARGV: 1 fence, 2 memory (JSON), 3 seconds the limits last, then a queue: name, cutoff ('' none), wall (on|off), divert
--       (surge|overflow; '' none)
-- Returns: OK.
-- @include fence
-- @include clock
redis.call('SET', KEYS[1], ARGV[2])
local lapses = string.format('%.3f', now + tonumber(ARGV[3]))
for first = 4, #ARGV, 4 do
  redis.call('HSET', '@OURS@:control:' .. ARGV[first], 'cutoff', ARGV[first + 1], 'wall', ARGV[first + 2],
    'divert', ARGV[first + 3], 'automation_until', lapses)
end
return redis.status_reply('OK')
