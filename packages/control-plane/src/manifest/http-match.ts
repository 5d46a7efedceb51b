/** Which requests are meant, as HTTPRoute says it; our own policies say it the same way. */
import { Type } from 'typebox';
import { strict } from './policy-schema.ts';

export type PathMatchManifest = { readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value?: string };
export type NamedMatchManifest = {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
};

export type HttpMatchManifest = {
  readonly path?: PathMatchManifest;
  readonly headers?: readonly NamedMatchManifest[];
  readonly queryParams?: readonly NamedMatchManifest[];
  readonly method?: string;
};

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'];

/** As in the Gateway API. */
const maxMatches = 64;

const named = Type.Object(
  {
    type: Type.Optional(Type.Enum(['Exact', 'RegularExpression'])),
    name: Type.String({ minLength: 1 }),
    value: Type.String(),
  },
  strict,
);

export const namedMatchesSchema: Type.TUnsafe<readonly NamedMatchManifest[]> = Type.Unsafe<readonly NamedMatchManifest[]>(
  Type.Array(named),
);

export const httpMatchSchema: Type.TUnsafe<HttpMatchManifest> = Type.Unsafe<HttpMatchManifest>(
  Type.Object(
    {
      path: Type.Optional(
        Type.Object(
          {
            type: Type.Optional(Type.Enum(['Exact', 'PathPrefix', 'RegularExpression'])),
            value: Type.Optional(Type.String({ minLength: 1 })),
          },
          strict,
        ),
      ),
      headers: Type.Optional(namedMatchesSchema),
      queryParams: Type.Optional(namedMatchesSchema),
      method: Type.Optional(Type.Enum(methods)),
    },
    strict,
  ),
);

/** Of a policy, ORed. */
export const httpMatchesSchema: Type.TUnsafe<readonly HttpMatchManifest[]> = Type.Unsafe<readonly HttpMatchManifest[]>(
  Type.Array(httpMatchSchema, { maxItems: maxMatches }),
);
