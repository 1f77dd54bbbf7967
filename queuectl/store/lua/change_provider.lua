-- Writes what was decided about a provider, unless another worker's report came first.
-- KEYS: 1 provider hash
-- ARGV: 1 version the decision was made on ('0': none yet), then fields and values
-- Returns: 1 written, 0 somebody was faster: read again.
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', tonumber(ARGV[1]) + 1, unpack(ARGV, 2))
return 1
