-- The one gate's commit: changes a hash if nobody changed it meanwhile, and writes the audit entry with it.
-- KEYS: 1 hash to change, 2 audit stream, 3 audit number, 4 undone hash, 5 second hash ('' none; an operation)
-- ARGV: 1 fence, 2 version expected ('' any), 3 audit number this undoes (0 none), 4 number of field arguments for
--       KEYS[1] (value '\0' deletes; '@cause' becomes the audit number, '@now' the server time), 5 the same for KEYS[5],
--       then those arguments, then audit fields (who, action, scope, before, after, reason, undoable, payload)
-- Returns: {1, audit number} or {0, version found}, or {2, the undo's number} when it was undone already.
-- @include fence
-- @include clock
local found = redis.call('HGET', KEYS[1], 'version') or '0'
if ARGV[2] ~= '' and found ~= ARGV[2] then return {0, found} end
if ARGV[3] ~= '0' then
  local earlier = redis.call('HGET', KEYS[4], ARGV[3])
  if earlier then return {2, earlier} end
end
local number = redis.call('INCR', KEYS[3])
if ARGV[3] ~= '0' then redis.call('HSET', KEYS[4], ARGV[3], number) end
local function write(key, first, width)
  for position = first, first + width - 1, 2 do
    local field, value = ARGV[position], ARGV[position + 1]
    if value == '\0' then
      redis.call('HDEL', key, field)
    else
      if value == '@cause' then value = number elseif value == '@now' then value = now end
      redis.call('HSET', key, field, value)
    end
  end
end
local first_width, second_width = tonumber(ARGV[4]), tonumber(ARGV[5])
write(KEYS[1], 6, first_width)
if KEYS[5] ~= '' then
  write(KEYS[5], 6 + first_width, second_width)
  redis.call('SADD', '@OURS@:ops', KEYS[5])
  redis.call('PERSIST', KEYS[5])
end
if first_width > 0 then redis.call('HINCRBY', KEYS[1], 'version', 1) end
local entry = {'number', number, 'at_s', now}
for position = 6 + first_width + second_width, #ARGV do entry[#entry + 1] = ARGV[position] end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', '100000', '*', unpack(entry))
return {1, number}
