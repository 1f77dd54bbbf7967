-- Limits shared by all workers. Needs `now`. A limit is its GCRA state, the theoretical arrival time of the next
-- token (virtual scheduling, ITU-T I.371); rate 0 is no limit.
local arrivals, providers = {}, {}
local RECOVERY_STEP, RECOVERY_S = 0.05, 60
local USED_S, PROBE_S = 10, 60

local function limit_of(key, rate, burst)
  return {key = key, rate = tonumber(rate), burst = tonumber(burst)}
end
local function arrival_of(limit)
  local arrival = arrivals[limit.key] or tonumber(redis.call('GET', limit.key) or '0')
  arrivals[limit.key] = math.max(arrival, now)
  return arrivals[limit.key]
end
local function tokens_of(limit)
  if limit.rate <= 0 then return math.huge end
  return math.max(0, math.floor((now - arrival_of(limit)) * limit.rate + limit.burst + 1e-3))
end
local function spend(limit, tokens)
  if limit.rate <= 0 then return end
  local arrival = math.max(now, arrival_of(limit) + tokens / limit.rate)
  arrivals[limit.key] = arrival
  redis.call('SET', limit.key, string.format('%.7f', arrival), 'PX', math.ceil((arrival - now) * 1000) + 1000)
end
-- Seconds until `tokens` more can be had.
local function wait_for(limit, tokens)
  if limit.rate <= 0 then return 0 end
  return math.max(0, arrival_of(limit) - now + (math.min(tokens, limit.burst) - limit.burst) / limit.rate)
end

-- What a warm-up leaves for today: `schedule` is its first day (since the epoch), then most messages a day. nil: no limit.
local function left_today(schedule, used_on, used)
  if schedule == '' then return nil end
  local days = {}
  for number in string.gmatch(schedule, '%d+') do days[#days + 1] = tonumber(number) end
  local today = math.floor(now / 86400)
  local most = today < days[1] and 0 or days[today - days[1] + 2]
  if not most then return nil end
  return math.max(0, most - (tonumber(used_on or '-1') == today and tonumber(used) or 0))
end

-- A provider as its hash has it now: its limit with the adaptive factor in it, and state open, suspended (also while a
-- probe is under way), probe (suspended long enough: one message may try) or spent (no more today). `rate` 0: limited
-- only while throttled, from what it took when that began. What the leading daemon has published goes before what the
-- caller's settings say.
local function provider_of(name, rate, burst, adaptive, warmup)
  if providers[name] then return providers[name] end
  local key = '@OURS@:provider:' .. name
  local p = redis.call('HMGET', key, 'used', 'used_at', 'factor', 'held_until', 'suspended_until', 'probe_until',
    'learned', 'day', 'day_used', 'limits', 'limits_until')
  if p[10] and tonumber(p[11]) > now then
    rate, burst, adaptive, warmup = string.match(p[10], '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|')
  end
  local found = {key = key, name = name, state = 'open'}
  found.used = tonumber(p[1] or '0') * math.exp((tonumber(p[2] or '0') - now) / USED_S)
  local limit = limit_of(key .. ':arrival', rate, burst)
  if adaptive == '1' then
    local factor = tonumber(p[3] or '1')
    factor = factor + RECOVERY_STEP * math.max(0, math.floor((now - tonumber(p[4] or '0')) / RECOVERY_S))
    if factor < 1 then
      if limit.rate <= 0 then limit.rate = tonumber(p[7] or '0') end
      limit.rate, limit.burst = limit.rate * factor, math.max(1, limit.burst * factor)
    end
    local suspended_until, probe_until = tonumber(p[5] or '0'), tonumber(p[6] or '0')
    if suspended_until > 0 then
      found.state = (now < suspended_until or now < probe_until) and 'suspended' or 'probe'
    end
  end
  found.limit = limit
  found.left = left_today(warmup, p[8], p[9])
  if found.left == 0 then found.state = 'spent' end
  providers[name] = found
  return found
end
local function closed(provider)
  return provider.state == 'suspended' or provider.state == 'spent'
end
-- Most messages it may be given now, its rate apart.
local function openness(provider)
  if closed(provider) then return 0 end
  return math.min(provider.left or math.huge, provider.state == 'probe' and 1 or math.huge)
end
local function count_today(provider, messages)
  if not provider.left then return end
  local today = string.format('%d', math.floor(now / 86400))
  if redis.call('HGET', provider.key, 'day') ~= today then
    redis.call('HSET', provider.key, 'day', today, 'day_used', '0')
  end
  redis.call('HINCRBY', provider.key, 'day_used', messages)
  provider.left = math.max(0, provider.left - messages)
end
local function use_provider(provider, messages)
  provider.used = provider.used + messages
  redis.call('HSET', provider.key, 'used', string.format('%.3f', provider.used), 'used_at', string.format('%.3f', now))
  count_today(provider, messages)
  if provider.state == 'probe' then
    provider.state = 'suspended'
    redis.call('HSET', provider.key, 'probe_until', string.format('%.3f', now + PROBE_S))
  end
end
