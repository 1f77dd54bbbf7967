-- Admits one batch of messages: writes small RQ records, pushes, counts.
-- KEYS: 1 queue list, 2 ledger hash, 3 set of queues, 4 deferred registry
-- ARGV: 1 queue name, 2 campaign memory (s), 3 the default priority, then 8 a message: id, data, ordering key, max age
--       (s or ''), priority ('' for the default), campaign bucket key ('' for none), campaign member (integer), campaign
-- Returns: {now, messages waiting after this batch (held ones too), code, code, ...}; codes 1 accepted, 2 held behind
--          its ordering key, 3 duplicate, 4 refused at the high watermark, 5 shed by the curve (staged for the shed
--          store), 6 refused for want of memory.
-- @include clock
-- @include control
-- @include curve
-- @include push
local name = ARGV[1]
local control = read_control(name)
local depth = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[4])
local room = control.shed == 'on' and math.max(0, control.cap - depth) or math.huge
local codes, pushed, shed = {}, {}, {}
local accepted, duplicates, refused = 0, 0, 0

local function is_known(id, bucket, member)
  if redis.call('EXISTS', '@RQ@:job:' .. id) == 1 then return true end
  if bucket == '' then return false end
  if redis.call('SADD', bucket, member) == 0 then return true end
  redis.call('EXPIRE', bucket, ARGV[2])
  return false
end

local function write_job(id, first, status)
  -- No enqueued_at while it would repeat created_at, no timeout while it is rq's default: 70 bytes a waiting message.
  local fields = {'created_at', now_iso, 'data', ARGV[first + 1], 'origin', name, 'status', status, 'result_ttl', '0'}
  for offset, field in ipairs({'ordering_key', 'max_age_s', 'priority'}) do
    local value = ARGV[first + 1 + offset]
    if value ~= '' then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
  end
  redis.call('HSET', '@RQ@:job:' .. id, unpack(fields))
end

local function hold(id, ordering_key)
  redis.call('RPUSH', '@OURS@:order:' .. name .. ':' .. ordering_key, id)
  redis.call('ZADD', KEYS[4], '+inf', id)
end

-- A message with an ordering key is spared: no hole in a sequence.
local function is_shed(first)
  if not control.cutoff or ARGV[first + 2] ~= '' then return false end
  local priority = ARGV[first + 4] ~= '' and ARGV[first + 4] or ARGV[3]
  return curve_sheds(tonumber(priority), ARGV[first + 7], control.cutoff)
end

for first = 4, #ARGV, 8 do
  local id, ordering_key = ARGV[first], ARGV[first + 2]
  local code
  if control.wall then
    code, refused = 6, refused + 1
  elseif accepted >= room then
    code, refused = 4, refused + 1
  elseif is_known(id, ARGV[first + 5], ARGV[first + 6]) then
    code, duplicates = 3, duplicates + 1
  elseif is_shed(first) then
    write_job(id, first, 'queued')
    shed[#shed + 1] = id
    code = 5
  elseif ordering_key ~= '' and redis.call('HSETNX', '@OURS@:order:' .. name, ordering_key, id) == 0 then
    write_job(id, first, 'deferred')
    hold(id, ordering_key)
    code, accepted = 2, accepted + 1
  else
    write_job(id, first, 'queued')
    pushed[#pushed + 1] = id
    code, accepted = 1, accepted + 1
  end
  codes[#codes + 1] = code
end
push_all('RPUSH', KEYS[1], pushed)
redis.call('SADD', KEYS[3], KEYS[1])
if #shed > 0 then
  push_all('RPUSH', '@OURS@:staging:' .. name .. ':admission', shed)
  redis.call('HINCRBY', '@OURS@:staged:' .. name, 'admission', #shed)
end
if accepted + #shed > 0 then redis.call('HINCRBY', KEYS[2], 'accepted', accepted + #shed) end
if duplicates > 0 then redis.call('HINCRBY', KEYS[2], 'duplicates', duplicates) end
if refused > 0 then redis.call('HINCRBY', KEYS[2], 'refused', refused) end
return {tostring(now), depth + accepted, unpack(codes)}
