-- Gives back tokens of messages that were claimed and never offered to their provider.
-- KEYS: none
-- ARGV: 1 tokens, 2 global rate, 3 its burst, 4 queue, 5 queue rate, 6 its burst, 7 provider ('' none), 8 its rate,
--       9 its burst, 10 adaptive (1 or ''), 11 warm-up schedule ('' none)
-- Returns: nothing of interest.
-- @include clock
-- @include rate
local tokens = -tonumber(ARGV[1])
spend(limit_of('@OURS@:rate:global', ARGV[2], ARGV[3]), tokens)
spend(limit_of('@OURS@:rate:queue:' .. ARGV[4], ARGV[5], ARGV[6]), tokens)
if ARGV[7] ~= '' then
  local provider = provider_of(ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11])
  spend(provider.limit, tokens)
  count_today(provider, tokens)
end
return 0
