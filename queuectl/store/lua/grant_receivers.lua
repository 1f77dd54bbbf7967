-- Shares what receivers take: tokens for some messages, and for the others a time to come back, one after the other at
-- the receiver's rate.
-- KEYS: none
-- ARGV: 1 longest time to come back (s), then 4 a receiver: name, rate, burst, messages
-- Returns: {granted, seconds until the first of the others may come back, seconds between two of them} a receiver
-- @include clock
-- @include rate
local longest, reply = tonumber(ARGV[1]), {}
for first = 2, #ARGV, 4 do
  local key = '@OURS@:receiver:' .. ARGV[first]
  local limit, wanted = limit_of(key, ARGV[first + 1], ARGV[first + 2]), tonumber(ARGV[first + 3])
  local granted = math.min(wanted, tokens_of(limit))
  local step, begin = 1 / limit.rate, 0
  if granted > 0 then spend(limit, granted) end
  if granted < wanted then
    local parked = key .. ':parked'
    begin = math.max(tonumber(redis.call('GET', parked) or '0'), now + wait_for(limit, 1)) - now
    local last = math.min(longest, begin + (wanted - granted) * step)
    redis.call('SET', parked, string.format('%.3f', now + last), 'PX', math.ceil(last * 1000) + 1000)
  end
  reply[#reply + 1] = {granted, string.format('%.3f', math.min(longest, begin)), string.format('%.6f', step)}
end
return reply
