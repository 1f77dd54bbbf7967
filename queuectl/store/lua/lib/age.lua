-- Epoch seconds of RQ's ISO timestamps; days are cached, since a batch shares few of them, and the last one as a whole.
local day_cache = {}
local last_stamp, last_epoch
local function epoch(stamp)
  if stamp == last_stamp then return last_epoch end
  if not stamp or #stamp < 19 then return nil end
  local date = string.sub(stamp, 1, 10)
  local days = day_cache[date]
  if not days then
    local y, m, d = string.match(date, '^(%d%d%d%d)-(%d%d)-(%d%d)$')
    if not y then return nil end
    y, m, d = tonumber(y), tonumber(m), tonumber(d)
    if m <= 2 then y = y - 1 end
    local era = math.floor(y / 400)
    local yoe = y - era * 400
    local doy = math.floor((153 * (m > 2 and m - 3 or m + 9) + 2) / 5) + d - 1
    days = era * 146097 + yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy - 719468
    day_cache[date] = days
  end
  local clock = (tonumber(string.sub(stamp, 12, 13)) or 0) * 3600 + (tonumber(string.sub(stamp, 15, 16)) or 0) * 60
  last_stamp = stamp
  last_epoch = days * 86400 + clock + (tonumber((string.gsub(string.sub(stamp, 18), 'Z', ''))) or 0)
  return last_epoch
end
