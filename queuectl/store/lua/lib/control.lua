-- The effective value of one control of a queue: an override until it expires, else what automation decided where the
-- policy says auto, else the policy. Needs `now`. Returns a table {direction=, shed=, pause=, max_age=, cap=, assist=,
-- protected=, priority=, wall=, cutoff= (nil: the shed curve meets nothing), divert= (surge or overflow: where arrivals
-- go, while a daemon says so)}. Wall, cutoff and divert lapse soon after their daemon. What the hashes hold that
-- makes no sense counts as absent, as in store/decode.py.
local function read_control(name)
  local c = redis.call('HMGET', '@OURS@:control:' .. name, 'direction', 'direction_until', 'shed', 'shed_until',
    'pause', 'pause_until', 'assist', 'direction_auto', 'shed_auto', 'cutoff', 'wall', 'automation_until',
    'divert')
  local p = redis.call('HMGET', '@OURS@:policy:' .. name, 'direction', 'shed', 'max_age_s', 'cap', 'class',
    'priority')
  local function live(value, limit, one, other)
    if value ~= one and value ~= other then return nil end
    local until_s = (not limit or limit == '') and now + 1 or tonumber(limit)
    if until_s and until_s > now and until_s < math.huge then return value end
    return nil
  end
  local function standing(policy, automatic, default)
    if policy == 'auto' then return automatic or default end
    return policy or default
  end
  local steered = (tonumber(c[12] or '') or 0) > now
  local shed = live(c[3], c[4], 'on', 'off')
  local protected = p[5] == 'protected'
  local cutoff = nil
  if steered and not shed and p[2] == 'auto' and c[9] == 'on' and not protected then cutoff = tonumber(c[10] or '') end
  return {
    direction = live(c[1], c[2], 'fifo', 'lifo') or standing(p[1], c[8], 'fifo'),
    shed = shed or standing(p[2], c[9], 'off'),
    protected = protected,
    wall = steered and c[11] == 'on',
    cutoff = cutoff,
    divert = steered and c[13] or '',
    pause = live(c[5], c[6], 'on', 'off') or 'off',
    assist = c[7] == '1',
    max_age = tonumber(p[3] or '') or 14400,
    cap = tonumber(p[4] or '') or 1000000,
    priority = tonumber(p[6] or '') or 50,
  }
end
