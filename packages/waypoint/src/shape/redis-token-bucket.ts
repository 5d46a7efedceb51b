/** Token buckets that all replicas of a waypoint share: any number of them in one round trip, by Redis's clock. */
import type { RedisCommands } from './redis-connection.ts';
import { redisScript } from './redis-script.ts';
import type { RedisScript } from './redis-script.ts';
import type { CompiledLimit } from './rate-limit-rules.ts';

/**
 * KEYS: buckets. ARGV: of each its rate (tokens/ms), burst, and 1 where it is enforced. Takes one token from every enforced
 * bucket if each has one, and then from every other bucket that has one; else from none. A bucket is `tokens time`, and
 * vanishes when it would be full. Replies with the tokens each had before.
 */
const takeScript: RedisScript = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local tokens, admitted, had = {}, true, {}
local values = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local rate, burst = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local left, at = string.match(values[i] or '', '^(%S+) (%S+)$')
  tokens[i] = burst
  if left then tokens[i] = math.min(burst, left + math.max(0, now - at) * rate) end
  if ARGV[3 * i] == '1' and tokens[i] < 1 then admitted = false end
  had[i] = string.format('%.6f', tokens[i])
end
if admitted then
  for i = 1, #KEYS do
    local rate, burst = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
    if tokens[i] >= 1 then
      local left = tokens[i] - 1
      local ttl = math.max(1, math.ceil((burst - left) / rate))
      redis.call('SET', KEYS[i], string.format('%.6f %.3f', left, now), 'PX', string.format('%.0f', ttl))
    end
  end
end
return had
`);

/** The tokens each limit's bucket had before this request took one. Rejects when the store cannot be had. */
export async function takeGlobally(
  connection: RedisCommands,
  buckets: readonly string[],
  limits: readonly CompiledLimit[],
): Promise<readonly number[]> {
  const args: (string | number)[] = [];
  for (const { ratePerMs, burst, shadow } of limits) args.push(ratePerMs, burst, shadow ? 0 : 1);
  const reply = await connection.run(takeScript, buckets, args);
  const had = Array.isArray(reply)
    ? (reply as unknown[]).map((value) => Number(value instanceof Buffer ? value.toString('latin1') : value))
    : [];
  if (had.length !== limits.length || had.some(Number.isNaN))
    throw new Error('the store holds something that is no token bucket');
  return had;
}
