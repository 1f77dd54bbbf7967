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

-- A provider as its hash has it now: its limit with the adaptive factor in it, and state open, suspended (also while a
-- probe is under way) or probe (suspended long enough: one message may try). `rate` 0: limited only while throttled,
-- from what it took when that began.
local function provider_of(name, rate, burst, adaptive)
  if providers[name] then return providers[name] end
  local key = '@OURS@:provider:' .. name
  local p = redis.call('HMGET', key, 'used', 'used_at', 'factor', 'held_until', 'suspended_until', 'probe_until',
    'learned')
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
  providers[name] = found
  return found
end
local function use_provider(provider, messages)
  provider.used = provider.used + messages
  redis.call('HSET', provider.key, 'used', string.format('%.3f', provider.used), 'used_at', string.format('%.3f', now))
  if provider.state == 'probe' then
    provider.state = 'suspended'
    redis.call('HSET', provider.key, 'probe_until', string.format('%.3f', now + PROBE_S))
  end
end
