/**
 * {@link transition} in Lua, by Redis's clock; the compliance suite and a property test hold both to the same verdicts.
 *
 * A record is a hash: s state (i in flight, u unknown, d done), f fingerprint, q request id, t token, l lease until,
 * a answer. Only what is done has an expiry (S4). Replies: a verdict, then what it carries.
 */
import { redisScript } from './redis-script.ts';
import type { RedisScript } from './redis-script.ts';

export const idempotencyScript: RedisScript = redisScript(`
local key, event = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', key, 's', 'f', 'q', 't', 'l')
local state, fingerprint, request, token, lease = record[1], record[2], record[3], record[4], record[5]
if state == 'i' and tonumber(lease) <= now then state = 'u' end

local function seen()
  if not state then return { 'absent' } end
  if state == 'i' then return { 'in-flight', request, tostring(tonumber(lease) - now) } end
  if state == 'u' then return { 'unknown', request, fingerprint } end
  return { 'done', request, fingerprint, redis.call('HGET', key, 'a') }
end

local function finish(answer, ttl)
  redis.call('HSET', key, 's', 'd', 'a', answer)
  redis.call('HDEL', key, 't', 'l')
  redis.call('PEXPIRE', key, ttl)
  return { 'settled' }
end

if event == 'begin' then
  if state then
    if fingerprint ~= ARGV[2] then return { 'mismatch' } end
    return seen()
  end
  redis.call('HSET', key, 's', 'i', 'f', ARGV[2], 'q', ARGV[3], 't', ARGV[4], 'l', string.format('%.0f', now + ARGV[5]))
  return { 'claimed' }
end

if event == 'look' then return seen() end

if event == 'resolve' then
  if state ~= 'u' then return seen() end
  if ARGV[3] then return finish(ARGV[3], ARGV[2]) end
  redis.call('DEL', key)
  return { 'settled' }
end

if state ~= 'i' or token ~= ARGV[2] then return { 'stale' } end
if event == 'complete' then return finish(ARGV[3], ARGV[4]) end
if event == 'not-dispatched' then
  redis.call('DEL', key)
else
  redis.call('HSET', key, 's', 'u')
  redis.call('HDEL', key, 't', 'l')
end
return { 'settled' }
`);
