/**
 * What stands for a policy of a cluster that cannot be read and has no good version, as after a restart of the control
 * plane, which remembers none: protection must not go with the understanding.
 *
 * I1  Pure: of the object alone.
 * I2  It is for what the object selects, as far as that can be read, and else for all that the object could select.
 * I3  What never kept anybody out has none: a dry run, the action AUDIT, an object of another revision.
 */
import { Value } from 'typebox/value';
import { isDryRun } from '../derive/authorization.ts';
import { isOfRevision } from '../derive/labels.ts';
import { defaultDeriveOptions } from '../derive/options.ts';
import { labelsSchema } from '../manifest/metadata.ts';
import { selectorSchema } from '../manifest/policy-schema.ts';
import { authorizationTargets } from './check-policy.ts';
import { targetsFrom, targetsText } from './stand-in-attachment.ts';
import { domainKept } from './stand-in-domain.ts';
import { opaRefusal, tokenRefusal } from './stand-in-requests.ts';
import { hasStrangers, isRecord, readAs } from './unread-fields.ts';
import type { ApiObject } from '../kubernetes/resource.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { Labels, NamespacedMetadata } from '../manifest/metadata.ts';
import type { SelectorManifest } from '../manifest/policy-schema.ts';
import type { TargetRefManifest } from '../manifest/target-ref.ts';
import type { UnreadFields } from './unread-fields.ts';

export type StandIn = {
  readonly manifest: Manifest;
  /** What it does, as a sentence for whoever has to mend the object. */
  readonly effect: string;
};

/** Kinds of which something may stand for an object. */
export const stoodForKinds: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'OpaPolicy',
  'BankingDomain',
]);

type Rules = { readonly rootNamespace: string };

export function standInFor(object: ApiObject, rules: Rules): StandIn | undefined {
  const { spec = {} } = object as { readonly spec?: unknown };
  const fields = isRecord(spec) ? spec : undefined;
  // Of the cluster, and of every revision.
  if (object.kind === 'BankingDomain') return domainKept({ name: object.metadata.name }, fields, rules);
  const metadata = metadataOf(object);
  if (metadata === undefined || !isOfRevision(metadata.labels, defaultDeriveOptions.revision)) return undefined;
  switch (object.kind) {
    case 'AuthorizationPolicy':
      return keepsNobodyOut(object, metadata, fields) ? undefined : refusal(metadata, fields, rules);
    case 'PeerAuthentication':
      return strictness(metadata, fields, rules);
    case 'RequestAuthentication':
      return tokenRefusal(metadata, fields, rules);
    case 'OpaPolicy':
      return opaRefusal(metadata, fields, rules);
    default:
      return undefined;
  }
}

/** The server answers for its form. */
function metadataOf({ metadata }: ApiObject): NamespacedMetadata | undefined {
  const { namespace, name, labels, creationTimestamp } = metadata as ApiObject['metadata'] & Readonly<Record<string, unknown>>;
  if (namespace === undefined) return undefined;
  return {
    name,
    namespace,
    ...(Value.Check(labelsSchema, labels) ? { labels } : {}),
    ...(typeof creationTimestamp === 'string' ? { creationTimestamp } : {}),
  };
}

/** I3. An annotation that says neither yes nor no counts as no. */
function keepsNobodyOut(object: ApiObject, metadata: NamespacedMetadata, fields: UnreadFields | undefined): boolean {
  const { annotations } = object.metadata as { readonly annotations?: Labels };
  const dry = Value.Check(labelsSchema, annotations) && isDryRun({ metadata: { ...metadata, annotations } });
  return dry || fields?.['action'] === 'AUDIT';
}

function refusal(metadata: NamespacedMetadata, fields: UnreadFields | undefined, rules: Rules): StandIn {
  const attached = attachmentOf(metadata, fields, rules);
  const value = { metadata, spec: { ...attached, action: 'DENY' as const, rules: [{}] } };
  const where = attached === undefined ? undefined : partsOf(attached);
  if (where === undefined) {
    const effect = `Whom it is for cannot be read: everybody is refused ${placeOf(metadata, rules)}, at pods and waypoints, until it is mended.`;
    return { manifest: { kind: 'AuthorizationPolicy', value: { ...value, standIn: 'namespace' } }, effect };
  }
  const effect = `Everybody is refused ${where === '' ? placeOf(metadata, rules) : where} until it is mended.`;
  return { manifest: { kind: 'AuthorizationPolicy', value: { ...value, standIn: 'attached' } }, effect };
}

type Attachment = { readonly selector?: SelectorManifest; readonly targetRefs?: readonly TargetRefManifest[] };

/** Whom an AuthorizationPolicy is for; `undefined` when it cannot be read. */
function attachmentOf({ namespace }: NamespacedMetadata, fields: UnreadFields | undefined, rules: Rules): Attachment | undefined {
  const selector = readAs(selectorSchema, fields?.['selector']);
  const targets = targetsFrom(fields, authorizationTargets(namespace, rules.rootNamespace));
  if (fields === undefined || selector === 'unreadable' || targets === 'unreadable') return undefined;
  if (selector === undefined && targets.length === 0) return hasStrangers(fields, knownFields) ? undefined : {};
  // Without labels it selects all, whatever else an empty selector means.
  const matchLabels = selector?.matchLabels ?? {};
  return {
    ...(selector === undefined ? {} : { selector: { matchLabels } }),
    ...(targets.length === 0 ? {} : { targetRefs: targets }),
  };
}

/** Of both kinds: each as far as the other. */
const knownFields = ['selector', 'targetRef', 'targetRefs', 'action', 'provider', 'rules', 'mtls', 'portLevelMtls'];

/** "" where nothing is named, so that it is for all. */
function partsOf({ selector, targetRefs }: Attachment): string {
  const targets = targetRefs === undefined ? undefined : targetsText(targetRefs);
  return [
    ...(selector === undefined ? [] : ['at the pods that it selects']),
    ...(targets === undefined ? [] : [`at ${targets}`]),
  ].join(' and ');
}

/** Whatever the object wanted: plaintext is an exception, and an exception has to be legible. */
function strictness(metadata: NamespacedMetadata, fields: UnreadFields | undefined, rules: Rules): StandIn | undefined {
  const selector = readAs(selectorSchema, fields?.['selector']);
  const labels = selector === 'unreadable' ? {} : (selector?.matchLabels ?? {});
  const selects = Object.keys(labels).length > 0;
  // It would reach no pod if it were right.
  if (selects && metadata.namespace === rules.rootNamespace) return undefined;
  const lost = fields === undefined || selector === 'unreadable' || (!selects && hasStrangers(fields, knownFields));
  const spec = { ...(selects ? { selector: { matchLabels: labels } } : {}), mtls: { mode: 'STRICT' as const } };
  const where = selects ? 'for the pods that it selects' : placeOf(metadata, rules);
  return {
    manifest: { kind: 'PeerAuthentication', value: { metadata, spec, standIn: lost ? 'namespace' : 'attached' } },
    effect: `It counts as mode STRICT ${where} until it is mended.`,
  };
}

function placeOf({ namespace }: NamespacedMetadata, { rootNamespace }: Rules): string {
  return namespace === rootNamespace ? 'in the whole mesh' : `in namespace ${namespace}`;
}
