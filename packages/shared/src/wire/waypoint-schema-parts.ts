/** What the schemas of a waypoint's configuration have in common. */
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { HttpMatch } from '../model/l7/route.ts';

export const name: Type.TString = Type.String({ minLength: 1 });
export const names: Type.TArray<Type.TString> = Type.Array(name);
/** Milliseconds, bytes and other amounts: JSON has no infinity, but it has negative and broken numbers. */
export const amount: Type.TInteger = Type.Integer({ minimum: 0 });
export const positive: Type.TInteger = Type.Integer({ minimum: 1 });
export const percent: Type.TNumber = Type.Number({ minimum: 0, maximum: 100 });
export const port: Type.TInteger = Type.Integer({ minimum: 1, maximum: 65_535 });
export const status: Type.TInteger = Type.Integer({ minimum: 200, maximum: 599 });

const namedMatch = Type.Object({ type: Type.Enum(['Exact', 'RegularExpression']), name, value: Type.String() });
const match = Type.Object({
  path: Type.Optional(Type.Object({ type: Type.Enum(['Exact', 'PathPrefix', 'RegularExpression']), value: Type.String() })),
  method: Type.Optional(Type.String()),
  headers: Type.Array(namedMatch),
  query: Type.Array(namedMatch),
});

export const httpMatch: Type.TUnsafe<HttpMatch> = Type.Unsafe<Static<typeof match>>(match);
