-- The effective value of one control of a queue: an override until it expires, else the policy.
-- Needs `now`. Returns a table {direction=, shed=, pause=, max_age=, cap=, class=, assist=, overridden={}}.
local function read_control(name)
  local c = redis.call('HMGET', '@OURS@:control:' .. name, 'direction', 'direction_until', 'shed', 'shed_until',
    'pause', 'pause_until', 'assist')
  local p = redis.call('HMGET', '@OURS@:policy:' .. name, 'direction', 'shed', 'max_age_s', 'cap', 'class')
  local function live(value, limit)
    if value and (not limit or limit == '' or tonumber(limit) > now) then return value end
    return nil
  end
  return {
    direction = live(c[1], c[2]) or p[1] or 'fifo',
    shed = live(c[3], c[4]) or p[2] or 'off',
    pause = live(c[5], c[6]) or 'off',
    assist = c[7] == '1',
    max_age = tonumber(p[3] or '14400'),
    cap = tonumber(p[4] or '1000000'),
  }
end
