-- Whether the shed curve meets a message: policy/shedding.py's `sheds`, number for number.
local function curve_sheds(priority, campaign, cutoff)
  local place = (tonumber(string.sub(redis.sha1hex(campaign), 1, 8), 16) + 1) / 4294967296
  return 100 - priority - 1 + place > cutoff
end
