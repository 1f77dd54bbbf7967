-- Epoch seconds of RQ's ISO timestamps; days are cached, since a batch shares few of them.
local day_cache = {}
local function epoch(stamp)
  if not stamp or #stamp < 19 then return nil end
  local date = string.sub(stamp, 1, 10)
  local days = day_cache[date]
  if not days then
    local y, m, d = tonumber(string.sub(date, 1, 4)), tonumber(string.sub(date, 6, 7)), tonumber(string.sub(date, 9, 10))
    if not (y and m and d) then return nil end
    if m <= 2 then y = y - 1 end
    local era = math.floor(y / 400)
    local yoe = y - era * 400
    local doy = math.floor((153 * (m > 2 and m - 3 or m + 9) + 2) / 5) + d - 1
    days = era * 146097 + yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy - 719468
    day_cache[date] = days
  end
  local clock = (tonumber(string.sub(stamp, 12, 13)) or 0) * 3600 + (tonumber(string.sub(stamp, 15, 16)) or 0) * 60
  return days * 86400 + clock + (tonumber((string.gsub(string.sub(stamp, 18), 'Z', ''))) or 0)
end
