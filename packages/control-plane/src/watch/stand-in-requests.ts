/** What stands for policies that only waypoints enforce, and only for what is behind one. */
import { clearmeshTargets } from './check-clearmesh-policies.ts';
import { targetsFrom, targetsText } from './stand-in-attachment.ts';
import type { NamespacedMetadata } from '../manifest/metadata.ts';
import type { StandIn } from './stand-in.ts';
import type { UnreadFields } from './unread-fields.ts';

type Rules = { readonly rootNamespace: string };

/** No decision can be had, as of an engine that does not answer. It has to name targets: one that names none was meant for some. */
export function opaRefusal(metadata: NamespacedMetadata, fields: UnreadFields | undefined, rules: Rules): StandIn {
  const { namespace } = metadata;
  const targets = targetsFrom(fields, clearmeshTargets(namespace, rules.rootNamespace));
  if (targets === 'unreadable' || targets.length === 0) {
    const value = { metadata, spec: { targetRefs: [], engine: {} }, standIn: 'namespace' as const };
    const effect = `Whom it is for cannot be read: every request is refused (503) at the waypoints of all services and Gateways of namespace ${namespace}, until it is mended.`;
    return { manifest: { kind: 'OpaPolicy', value }, effect };
  }
  const value = { metadata, spec: { targetRefs: targets, engine: {} }, standIn: 'attached' as const };
  const effect = `Every request is refused (503) at the waypoints of ${targetsText(targets)}, until it is mended.`;
  return { manifest: { kind: 'OpaPolicy', value }, effect };
}
