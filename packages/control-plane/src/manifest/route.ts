/** What HTTPRoute and GRPCRoute have in common. */
import { Type } from 'typebox';
import { strict } from './policy-schema.ts';
import { targetGroups } from './target-ref.ts';
import type { NamespacedMetadata } from './metadata.ts';

export type ParentRefManifest = {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
};

export type BackendObjectManifest = {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
};

export type HeaderValueManifest = { readonly name: string; readonly value: string };
export type HeaderFilterManifest = {
  readonly set?: readonly HeaderValueManifest[];
  readonly add?: readonly HeaderValueManifest[];
  readonly remove?: readonly string[];
};

export type PathModifierManifest = {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
};

export type RedirectManifest = {
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly path?: PathModifierManifest;
  readonly port?: number;
  readonly statusCode?: 301 | 302 | 303 | 307 | 308;
};

export type MirrorManifest = {
  readonly backendRef: BackendObjectManifest;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
};

export type FilterManifest = {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderFilterManifest;
  readonly responseHeaderModifier?: HeaderFilterManifest;
  readonly requestMirror?: MirrorManifest;
  readonly requestRedirect?: RedirectManifest;
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifierManifest };
};

export type BackendRefManifest = BackendObjectManifest & {
  readonly weight?: number;
  readonly filters?: readonly FilterManifest[];
};

/** A route of either kind, as far as both are alike. */
export type RouteManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly parentRefs?: readonly ParentRefManifest[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly {
      readonly filters?: readonly FilterManifest[];
      readonly backendRefs?: readonly BackendRefManifest[];
    }[];
  };
};

const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const text = Type.Optional(Type.String());
const backendFields = {
  group: text,
  kind: text,
  name: Type.String({ minLength: 1 }),
  namespace: text,
  port: Type.Optional(port),
};
const headerValues = Type.Optional(
  Type.Array(Type.Object({ name: Type.String({ minLength: 1 }), value: Type.String() }, strict)),
);
const headerFilter = Type.Object(
  { set: headerValues, add: headerValues, remove: Type.Optional(Type.Array(Type.String({ minLength: 1 }))) },
  strict,
);
const pathModifier = Type.Object(
  {
    type: Type.Enum(['ReplaceFullPath', 'ReplacePrefixMatch']),
    replaceFullPath: text,
    replacePrefixMatch: text,
  },
  strict,
);
const percent = Type.Integer({ minimum: 0, maximum: 100 });

const filter = Type.Object(
  {
    type: Type.String(),
    requestHeaderModifier: Type.Optional(headerFilter),
    responseHeaderModifier: Type.Optional(headerFilter),
    requestMirror: Type.Optional(
      Type.Object(
        {
          backendRef: Type.Object(backendFields, strict),
          percent: Type.Optional(percent),
          fraction: Type.Optional(
            Type.Object(
              { numerator: Type.Integer({ minimum: 0 }), denominator: Type.Optional(Type.Integer({ minimum: 1 })) },
              strict,
            ),
          ),
        },
        strict,
      ),
    ),
    requestRedirect: Type.Optional(
      Type.Object(
        {
          scheme: Type.Optional(Type.Enum(['http', 'https'])),
          hostname: text,
          path: Type.Optional(pathModifier),
          port: Type.Optional(port),
          statusCode: Type.Optional(Type.Enum([301, 302, 303, 307, 308])),
        },
        strict,
      ),
    ),
    urlRewrite: Type.Optional(Type.Object({ hostname: text, path: Type.Optional(pathModifier) }, strict)),
    cors: Type.Optional(Type.Unknown()),
    externalAuth: Type.Optional(Type.Unknown()),
    extensionRef: Type.Optional(Type.Unknown()),
  },
  strict,
);

export const filtersSchema: Type.TUnsafe<readonly FilterManifest[]> = Type.Unsafe<readonly FilterManifest[]>(Type.Array(filter));

export const backendRefsSchema: Type.TUnsafe<readonly BackendRefManifest[]> = Type.Unsafe<readonly BackendRefManifest[]>(
  Type.Array(
    Type.Object(
      {
        ...backendFields,
        weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
        filters: Type.Optional(filtersSchema),
      },
      strict,
    ),
  ),
);

export const parentRefsSchema: Type.TUnsafe<readonly ParentRefManifest[]> = Type.Unsafe<readonly ParentRefManifest[]>(
  Type.Array(
    Type.Object(
      {
        group: text,
        kind: text,
        namespace: text,
        name: Type.String({ minLength: 1 }),
        sectionName: text,
        port: Type.Optional(port),
      },
      strict,
    ),
  ),
);

/** A Service, or a ServiceEntry: a parent whose traffic passes a waypoint. */
export function isServiceParent({ group = 'gateway.networking.k8s.io', kind = 'Gateway' }: ParentRefManifest): boolean {
  if (kind === 'ServiceEntry') return group === targetGroups.ServiceEntry;
  return kind === 'Service' && (group === '' || group === 'core');
}
