import type { HttpAnswer } from './http-endpoint.ts';

/** What JSON.stringify writes; `undefined` is left out. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export function jsonAnswer(value: Json): HttpAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value, undefined, 2)}\n` };
}
