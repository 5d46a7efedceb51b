/**
 * Builtins offered to rules run as WASM, beside those the module and its runtime bring. Others, such as `http.send`, a
 * module may not ask for: it is rejected with their names before it decides anything.
 */
import { createHash, createHmac } from 'node:crypto';
import { jwtDecode, jwtDecodeVerify, jwtVerify } from './opa-jwt-builtins.ts';

export type Builtin = (...args: readonly unknown[]) => unknown;

/** Brought by @open-policy-agent/opa-wasm in JavaScript. */
const runtimeBuiltins: ReadonlySet<string> = new Set([
  'json.is_valid',
  'regex.split',
  'sprintf',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
]);

/** Rules that use these may answer differently to the same input. */
const unsteady: ReadonlySet<string> = new Set(['time.now_ns', 'io.jwt.decode_verify', 'rand.intn', 'uuid.rfc4122']);

export function isSteady(names: readonly string[]): boolean {
  return !names.some((name) => unsteady.has(name));
}

/** @param nowNs nanoseconds since the epoch, the same throughout one evaluation */
export function offeredBuiltins(nowNs: () => number): Readonly<Record<string, Builtin>> {
  return {
    'time.now_ns': nowNs,
    'io.jwt.decode': jwtDecode,
    'io.jwt.decode_verify': (token, constraints) => jwtDecodeVerify(token, constraints, nowNs()),
    ...jwtVerifiers(),
    ...timeBuiltins,
    ...textBuiltins,
    ...digestBuiltins,
  };
}

/** Of those a module asks for. */
export function missingBuiltins(asked: readonly string[], offered: Readonly<Record<string, Builtin>>): readonly string[] {
  return asked.filter((name) => !Object.hasOwn(offered, name) && !runtimeBuiltins.has(name)).sort();
}

function jwtVerifiers(): Readonly<Record<string, Builtin>> {
  const families = ['hs', 'rs', 'ps', 'es'].flatMap((family) => ['256', '384', '512'].map((bits) => family + bits));
  return {
    ...Object.fromEntries(families.map((name) => [`io.jwt.verify_${name}`, jwtVerify(name.toUpperCase())])),
    'io.jwt.verify_eddsa': jwtVerify('EdDSA'),
  };
}

/** Of UTC. Rules give nanoseconds, or `[ns, "UTC"]`; other zones are undefined. */
const timeBuiltins: Readonly<Record<string, Builtin>> = {
  'time.parse_rfc3339_ns': (text) => {
    if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
    const ms = Date.parse(text);
    return Number.isNaN(ms) ? undefined : ms * 1e6;
  },
  'time.clock': (time) => dateParts(time, (date) => [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]),
  'time.date': (time) => dateParts(time, (date) => [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]),
  'time.weekday': (time) => dateParts(time, (date) => weekdays[date.getUTCDay()]),
};

const weekdays: readonly string[] = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function dateParts(time: unknown, read: (date: Date) => unknown): unknown {
  const [ns, zone]: readonly unknown[] = Array.isArray(time) ? time : [time, 'UTC'];
  if (typeof ns !== 'number' || (zone !== 'UTC' && zone !== '')) return undefined;
  const date = new Date(Math.floor(ns / 1e6));
  return Number.isNaN(date.getTime()) ? undefined : read(date);
}

const textBuiltins: Readonly<Record<string, Builtin>> = {
  'strings.any_prefix_match': (texts, prefixes) => anyPair(texts, prefixes, (text, prefix) => text.startsWith(prefix)),
  'strings.any_suffix_match': (texts, suffixes) => anyPair(texts, suffixes, (text, suffix) => text.endsWith(suffix)),
  'urlquery.decode': (text) => {
    try {
      return typeof text === 'string' ? decodeURIComponent(text.replaceAll('+', ' ')) : undefined;
    } catch {
      return undefined;
    }
  },
};

function anyPair(left: unknown, right: unknown, holds: (a: string, b: string) => boolean): boolean | undefined {
  const texts = strings(left);
  const others = strings(right);
  if (texts === undefined || others === undefined) return undefined;
  return texts.some((text) => others.some((other) => holds(text, other)));
}

/** A text, or a list or set of texts: WASM hands sets over as lists. */
function strings(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.every((item) => typeof item === 'string') ? list : undefined;
}

const digestBuiltins: Readonly<Record<string, Builtin>> = {
  'crypto.sha256': (text) => (typeof text === 'string' ? createHash('sha256').update(text).digest('hex') : undefined),
  'crypto.hmac.sha256': (text, key) =>
    typeof text === 'string' && typeof key === 'string' ? createHmac('sha256', key).update(text).digest('hex') : undefined,
  'hex.encode': (text) => (typeof text === 'string' ? Buffer.from(text, 'utf8').toString('hex') : undefined),
};
