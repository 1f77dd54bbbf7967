-- Admits one batch of messages: writes small RQ records, pushes, counts.
-- KEYS: 1 queue list, 2 ledger hash, 3 set of queues, 4 deferred registry
-- ARGV: 1 queue name, 2 campaign memory (s), then 8 a message: id, data, ordering key, max age (s or ''), priority ('' for
--       the queue's), campaign or event bucket key ('' for none), its member (integer),
--       campaign
-- Returns: {now, messages waiting after this batch (held ones too), code, code, ...}; codes 1 accepted, 2 held behind
--          its ordering key, 3 duplicate, 4 refused at the high watermark, 5 shed by the curve (staged for the shed
--          store), 6 refused for want of memory.
-- @include clock
-- @include control
-- @include curve
-- @include push
-- @include surge
local name = ARGV[1]
local control = read_control(name)
local aside = '@OURS@:aside:' .. name
local set_aside = redis.call('LLEN', aside)
local depth = redis.call('LLEN', KEYS[1]) + set_aside + redis.call('ZCARD', KEYS[4]) + waiting_behind(name)
local waiting, owner = arrival_list(name, control)
-- A paused queue of stock workers: they would take what is pushed to the queue itself.
if waiting == KEYS[1] and control.pause == 'on' and set_aside > 0 then waiting = aside end
local room = control.shed == 'on' and math.max(0, control.cap - depth) or math.huge
local codes, pushed, shed = {}, {}, {}
local accepted, duplicates, refused = 0, 0, 0

-- A bucket whose key ends in ':' is a series: this week's is written, last week's is looked at too.
local WEEK = 7 * 86400
local function is_known(id, bucket, member)
  if redis.call('EXISTS', '@RQ@:job:' .. id) == 1 then return true end
  if bucket == '' then return false end
  local memory = ARGV[2]
  if string.sub(bucket, -1) == ':' then
    local week = math.floor(now / WEEK)
    if redis.call('SISMEMBER', bucket .. (week - 1), member) == 1 then return true end
    bucket, memory = bucket .. week, 2 * WEEK
  end
  if redis.call('SADD', bucket, member) == 0 then return true end
  redis.call('EXPIRE', bucket, memory)
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

-- Of an ordering key a suffix is shed, never a hole: once the curve has met a message, what follows with its key is
-- shed too, until the key has drained and the curve rests.
local cut = '@OURS@:cut:' .. name
local cutting = redis.call('EXISTS', cut) == 1
local function is_cut(ordering_key)
  if not cutting or ordering_key == '' or redis.call('SISMEMBER', cut, ordering_key) == 0 then return false end
  if control.cutoff or redis.call('HEXISTS', '@OURS@:order:' .. name, ordering_key) == 1 then return true end
  redis.call('SREM', cut, ordering_key)
  return false
end

local function is_shed(first)
  local ordering_key = ARGV[first + 2]
  if is_cut(ordering_key) then return true end
  local priority = ARGV[first + 4] ~= '' and ARGV[first + 4] or control.priority
  if not control.cutoff or not curve_sheds(tonumber(priority), ARGV[first + 7], control.cutoff) then return false end
  if ordering_key ~= '' then
    cutting = true
    redis.call('SADD', cut, ordering_key)
    redis.call('EXPIRE', cut, 86400)
  end
  return true
end

for first = 3, #ARGV, 8 do
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
push_all('RPUSH', waiting, pushed)
if owner and #pushed > 0 then redis.call('HINCRBY', '@OURS@:staged:' .. name, owner, #pushed) end
redis.call('SADD', KEYS[3], KEYS[1])
if #shed > 0 then
  push_all('RPUSH', '@OURS@:staging:' .. name .. ':admission', shed)
  redis.call('HINCRBY', '@OURS@:staged:' .. name, 'admission', #shed)
end
if accepted + #shed > 0 then redis.call('HINCRBY', KEYS[2], 'accepted', accepted + #shed) end
if duplicates > 0 then redis.call('HINCRBY', KEYS[2], 'duplicates', duplicates) end
if refused > 0 then redis.call('HINCRBY', KEYS[2], 'refused', refused) end
return {tostring(now), depth + accepted, unpack(codes)}
