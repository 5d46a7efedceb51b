import { Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { defineKind } from './kind.ts';
import { patterned, refined } from './patterned.ts';
import { policyObject, strict } from './policy-schema.ts';
import { targetRefsSchema } from './target-ref.ts';
import type { Kind } from './kind.ts';
import type { Labels, NamespacedMetadata } from './metadata.ts';
import type { StandInReach } from './policy-schema.ts';
import type { TargetRefManifest } from './target-ref.ts';

/** One of the two. */
export type OpaEngineManifest = {
  /** `bundle`: a path of the waypoint's host; a relative one starts at the manifests' directory. */
  readonly wasm?: { readonly bundle: string; readonly watchdog?: string };
  readonly server?: { readonly url: string };
};

export type OpaPolicyManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly targetRefs: readonly TargetRefManifest[];
    readonly engine: OpaEngineManifest;
    readonly path?: string;
    readonly timeout?: string;
    readonly body?: { readonly maxBytes?: number; readonly allowPartial?: boolean };
    readonly cache?: { readonly ttl: string; readonly inputs: readonly string[] };
    readonly contextExtensions?: Labels;
  };
  /** It stands for one that cannot be read, and has no engine. */
  readonly standIn?: StandInReach;
};

const urlShape = /^https?:\/\/[^\s/@?#]+(?:[/?#]\S*)?$/;
const serverUrl = refined(
  urlShape,
  (text) => {
    const url = urlShape.test(text) ? URL.parse(text) : null;
    return url !== null && url.username === '' && url.password === '';
  },
  'http://host:port of an OPA server, without credentials',
);
const rulePath = patterned(/^[A-Za-z_][\w-]*(?:\/[A-Za-z_][\w-]*)*$/, 'the path of a rule, such as envoy/authz/allow');
const engine = Type.Object(
  {
    wasm: Type.Optional(Type.Object({ bundle: Type.String({ minLength: 1 }), watchdog: Type.Optional(durationSchema) }, strict)),
    server: Type.Optional(Type.Object({ url: serverUrl }, strict)),
  },
  strict,
);

export const opaPolicyKind: Kind<OpaPolicyManifest> = defineKind(
  { kind: 'OpaPolicy', apiVersions: ['clearmesh.io/v1alpha1'], scope: 'namespaced' },
  policyObject(
    Type.Object(
      {
        targetRefs: targetRefsSchema,
        engine,
        path: Type.Optional(rulePath),
        timeout: Type.Optional(durationSchema),
        body: Type.Optional(
          Type.Object(
            {
              maxBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_777_216 })),
              allowPartial: Type.Optional(Type.Boolean()),
            },
            strict,
          ),
        ),
        cache: Type.Optional(Type.Object({ ttl: durationSchema, inputs: Type.Array(Type.String({ minLength: 1 })) }, strict)),
        contextExtensions: Type.Optional(Type.Record(Type.String(), Type.String())),
      },
      strict,
    ),
  ),
);
