-- Makes the settings' policy of one queue known: in force where no operator changed the field live, else kept beside it.
-- KEYS: 1 policy hash, 2 control hash
-- ARGV: 1 number of fields, then field, value, …; then for each field that may be `auto`: the field, how many fields of
--       the control hash hold what automation decided, those fields: removed unless the field says auto
-- Returns: OK.
local last = 1 + 2 * tonumber(ARGV[1])
local written = {}
for position = 2, last, 2 do
  local field, value = ARGV[position], ARGV[position + 1]
  written[#written + 1] = field .. '_settings'
  written[#written + 1] = value
  if redis.call('HEXISTS', KEYS[1], field .. '_since') == 0 then
    written[#written + 1] = field
    written[#written + 1] = value
  end
end
redis.call('HSET', KEYS[1], unpack(written))
local position = last + 1
while position <= #ARGV do
  local decided = tonumber(ARGV[position + 1])
  if redis.call('HGET', KEYS[1], ARGV[position]) ~= 'auto' then
    redis.call('HDEL', KEYS[2], unpack(ARGV, position + 2, position + 1 + decided))
  end
  position = position + 2 + decided
end
return redis.status_reply('OK')
