/** One object of the API server: checked as a manifest of a directory is, and cut down to what is read of it. */
import type { TSchema } from 'typebox';
import { isWaypoint } from '../manifest/gateway.ts';
import { isServiceParent } from '../manifest/route.ts';
import { checkMeaning } from './check-meaning.ts';
import { checkShape } from '@clearmesh/shared/document/check-shape';
import { project } from './schema-projection.ts';
import { standInFor } from './stand-in.ts';
import type { SupportedKind } from '../manifest/kinds.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { ParentRefManifest } from '../manifest/route.ts';
import type { ApiObject, ObjectName } from '../kubernetes/resource.ts';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { PeerAuthenticationRules } from './check-peer-authentication.ts';
import type { StandIn } from './stand-in.ts';
import type { WatchedKind } from './watched-resources.ts';

export type ClusterObject = {
  /** `namespace/name`, or the name alone. */
  readonly key: string;
  readonly name: ObjectName;
  readonly apiVersion: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** As the server has it; only of kinds whose status is reported. */
  readonly status?: unknown;
  /** Something in its status was written by us. */
  readonly reported: boolean;
  readonly reading: ObjectReading;
};

export type ObjectReading =
  | { readonly kind: 'good'; readonly manifest: Manifest }
  | {
      readonly kind: 'wrong';
      readonly findings: readonly Finding[];
      /** Of a route: what to report under. */
      readonly parents?: readonly ParentRefManifest[];
      /** Of a policy: what holds while there is no good version. */
      readonly standIn?: StandIn;
    }
  /** Of another controller, and in a form that we do not know: not ours to judge. */
  | { readonly kind: 'foreign' };

export function readClusterObject(object: ApiObject, watched: WatchedKind, rules: PeerAuthenticationRules): ClusterObject {
  const { namespace, name, uid = '', resourceVersion = '', generation = 0 } = object.metadata;
  const status = (object as { readonly status?: unknown }).status;
  return {
    key: namespace === undefined ? name : `${namespace}/${name}`,
    name: { name, ...(namespace === undefined ? {} : { namespace }) },
    apiVersion: object.apiVersion,
    uid,
    resourceVersion,
    generation,
    ...(watched.reported === true && status !== undefined ? { status } : {}),
    reported: (object.metadata as Metadata).managedFields?.some(isOurWrite) ?? false,
    reading: readObject(object, watched.kind, rules),
  };
}

/** What an object is, as far as it can be told from it alone. */
export function readObject(object: ApiObject, kind: SupportedKind, rules: PeerAuthenticationRules): ObjectReading {
  const findings = checkShape(kind.schema, object);
  if (findings.length > 0) return isOurs(object) ? wrong(object, findings, rules) : { kind: 'foreign' };
  const manifest = kind.manifest(project(kind.schema, withoutBookkeeping(object, kind.schema)));
  const meaning = checkMeaning(manifest, rules);
  return meaning.length > 0 ? wrong(object, meaning, rules) : { kind: 'good', manifest };
}

function wrong(object: ApiObject, findings: readonly Finding[], rules: PeerAuthenticationRules): ObjectReading {
  const parents = serviceParents(object);
  const standIn = standInFor(object, rules);
  return {
    kind: 'wrong',
    findings,
    ...(parents.length === 0 ? {} : { parents }),
    ...(standIn === undefined ? {} : { standIn }),
  };
}

type ManagedFields = { readonly manager?: string; readonly subresource?: string };

function isOurWrite({ manager = '', subresource }: ManagedFields): boolean {
  return subresource === 'status' && manager.startsWith('clearmesh-');
}

/** What the server adds for itself, and kubectl: longer than the rest, and other after each write of a status. */
function withoutBookkeeping(object: ApiObject, schema: TSchema): unknown {
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...metadata } = object.metadata as Metadata;
  const { [lastApplied]: _applied, ...annotations } = metadata.annotations ?? {};
  const { status, ...others } = object as ApiObject & { readonly status?: unknown };
  return {
    ...others,
    ...(status !== undefined && readsStatus(schema) ? { status } : {}),
    metadata: { ...metadata, ...(metadata.annotations === undefined ? {} : { annotations }) },
  };
}

type Metadata = ApiObject['metadata'] & {
  readonly managedFields?: readonly ManagedFields[];
  readonly annotations?: Readonly<Record<string, string>>;
};

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** A status whose schema names no field is what we write ourselves: to the derivation it is no change. */
function readsStatus(schema: TSchema): boolean {
  const { status } = (schema as { readonly properties?: { readonly status?: object } }).properties ?? {};
  return status !== undefined && 'properties' in status;
}

/** Gateways and routes serve many controllers. The shape is not known yet: look, and expect nothing. */
function isOurs(object: ApiObject): boolean {
  const { spec } = object as { readonly spec?: Partial<GatewayManifest['spec']> | null };
  if (object.kind === 'Gateway') return isWaypoint({ spec: spec ?? {} } as GatewayManifest);
  return !object.kind.endsWith('Route') || serviceParents(object).length > 0;
}

function serviceParents(object: ApiObject): readonly ParentRefManifest[] {
  const { spec } = object as { readonly spec?: { readonly parentRefs?: unknown } | null };
  const parents: readonly unknown[] = Array.isArray(spec?.parentRefs) ? spec.parentRefs : [];
  return parents.filter(isParentRef).filter(isServiceParent);
}

function isParentRef(value: unknown): value is ParentRefManifest {
  return value !== null && typeof value === 'object' && 'name' in value && typeof value.name === 'string';
}
