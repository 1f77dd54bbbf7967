-- The tiers behind a queue's primary list, which together are one first-in-first-out line: surge, what is squeezed out
-- of it into overflow, overflow itself (packed), the newest arrivals, on their way there, and what was swept off the
-- primary and is still to be put to that end. Needs push.lua.
local function surge_of(name) return '@OURS@:surge:' .. name end
local function staging_of(name, owner) return '@OURS@:staging:' .. name .. ':' .. owner end

-- The list where the next arrival waits, and the owner of a staging list: the last tier that is not empty, or that
-- automation has opened. Newest first needs it in the primary.
local function arrival_list(name, control)
  if control.direction ~= 'lifo' then
    local arrivals = staging_of(name, 'arrivals')
    if control.divert == 'overflow' or redis.call('EXISTS', arrivals, staging_of(name, 'squeeze')) > 0 then
      return arrivals, 'arrivals'
    end
    local surge = surge_of(name)
    if control.divert == 'surge' or redis.call('EXISTS', surge) == 1 then return surge end
  end
  return '@RQ@:queue:' .. name
end

-- Messages behind the primary that come to workers by themselves.
local function waiting_behind(name)
  local number = redis.call('LLEN', surge_of(name))
  for _, owner in ipairs({'squeeze', 'arrivals', 'swept'}) do
    number = number + redis.call('LLEN', staging_of(name, owner))
  end
  return number + tonumber(redis.call('HGET', '@OURS@:overflow:' .. name .. ':totals', 'returning') or '0')
end

local function unstaged(name, owner, number)
  local staged = '@OURS@:staged:' .. name
  if number > 0 and redis.call('HINCRBY', staged, owner, -number) <= 0 then redis.call('HDEL', staged, owner) end
end

-- Fills the primary up to `wanted` ids from the tiers behind it, so that no worker idles beside them and nothing is
-- stranded without a daemon. Only ids move. Arrivals wait for what is packed before them, as long as a daemon lives
-- that brings it back. Newest first, the young end of surge comes to the old end of the primary.
local function fill_primary(name, control, wanted)
  local primary = '@RQ@:queue:' .. name
  local missing = wanted - redis.call('LLEN', primary)
  if missing <= 0 then return end
  local squeeze, arrivals, swept = staging_of(name, 'squeeze'), staging_of(name, 'arrivals'), staging_of(name, 'swept')
  if redis.call('EXISTS', surge_of(name), squeeze, arrivals, swept) == 0 then return end
  local lifo = control.direction == 'lifo'
  local function take(list, owner)
    if missing <= 0 then return end
    local ids = redis.call(lifo and 'RPOP' or 'LPOP', list, missing)
    if not ids then return end
    push_all(lifo and 'LPUSH' or 'RPUSH', primary, ids)
    missing = missing - #ids
    if owner then unstaged(name, owner, #ids) end
  end
  take(surge_of(name))
  take(squeeze, 'squeeze')
  if control.divert ~= 'overflow' or redis.call('EXISTS', '@OURS@:overflow:' .. name .. ':returning') == 0 then
    take(arrivals, 'arrivals')
    take(swept, 'swept')
  end
end
