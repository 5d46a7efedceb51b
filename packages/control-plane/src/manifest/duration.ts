/** Durations of the Gateway API (GEP-2257): `10s`, `250ms`, `1h30m`. */
import type { Type } from 'typebox';
import { patterned } from './patterned.ts';

const shape = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/;
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds, or `undefined` for any other text. */
export function parseDuration(text: string): number | undefined {
  if (!shape.test(text)) return undefined;
  return [...text.matchAll(/(\d+)(h|ms|m|s)/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (unitMs[unit] ?? 0),
    0,
  );
}

/** Of a text that its schema let through, in milliseconds. */
export function durationMs(text: string): number {
  return parseDuration(text) ?? 0;
}

export const durationSchema: Type.TUnsafe<string> = patterned(shape, 'a duration, such as 250ms, 10s or 1h30m');
