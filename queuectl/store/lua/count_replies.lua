-- Counts how tries ended, by the minute, in one hash an hour; and their texts, in another, the first hundred an hour.
-- KEYS: none
-- ARGV: 1 how long an hour's hashes stay (s), 2 most texts an hour, then 4 an entry: whose (provider:NAME or
--       queue:NAME), class, text ('' none), number
-- Returns: nothing of interest.
-- @include clock
local hour, minute = string.format('%d', math.floor(now / 3600)), math.floor(now % 3600 / 60)
local keep, most = ARGV[1], tonumber(ARGV[2])
for first = 3, #ARGV, 4 do
  local key, number = '@OURS@:replies:' .. ARGV[first] .. ':' .. hour, ARGV[first + 3]
  redis.call('HINCRBY', key, minute .. ':' .. ARGV[first + 1], number)
  redis.call('EXPIRE', key, keep)
  if ARGV[first + 2] ~= '' then
    local texts, text = key .. ':texts', ARGV[first + 2]
    if redis.call('HLEN', texts) >= most and redis.call('HEXISTS', texts, text) == 0 then text = '(others)' end
    redis.call('HINCRBY', texts, text, number)
    redis.call('EXPIRE', texts, keep)
  end
end
return 0
