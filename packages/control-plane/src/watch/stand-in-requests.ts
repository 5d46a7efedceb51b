/** What stands for policies that only waypoints enforce, and only for what is behind one. */
import { Type } from 'typebox';
import { jwtPlacesSchema } from '../manifest/request-authentication.ts';
import { clearmeshTargets } from './check-clearmesh-policies.ts';
import { authorizationTargets } from './check-policy.ts';
import { targetsFrom, targetsText } from './stand-in-attachment.ts';
import { hasStrangers, readAs } from './unread-fields.ts';
import type { NamespacedMetadata } from '../manifest/metadata.ts';
import type { RequestAuthenticationManifest } from '../manifest/request-authentication.ts';
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

const tokenFields = ['selector', 'targetRef', 'targetRefs', 'jwtRules'];

/**
 * No token is known to be good. Whoever presents one where its rules look is refused, and whoever presents none is as he
 * was: what demands a principal refuses him. Where it cannot be told where they look, or which headers are theirs alone,
 * everybody is refused.
 */
export function tokenRefusal(metadata: NamespacedMetadata, fields: UnreadFields | undefined, rules: Rules): StandIn | undefined {
  const { namespace } = metadata;
  const targets = targetsFrom(fields, authorizationTargets(namespace, rules.rootNamespace));
  const strange = fields === undefined || hasStrangers(fields, tokenFields);
  // As it is written it reaches no waypoint, and never did.
  if (targets !== 'unreadable' && targets.length === 0 && !strange) return undefined;
  const read = readAs(Type.Array(jwtPlacesSchema), fields?.['jwtRules']) ?? [];
  const unread = strange || read === 'unreadable' ? 'all' : read;
  // Without rules it looks at no token.
  if (unread.length === 0) return undefined;
  const lost = targets === 'unreadable' || targets.length === 0;
  const all = namespace === rules.rootNamespace ? 'of the whole mesh' : `of all services and Gateways of namespace ${namespace}`;
  const where = lost ? all : `of ${targetsText(targets)}`;
  const who = unread === 'all' ? 'every request is' : 'requests that present a token where its rules look are';
  const whom = lost
    ? 'Whom it is for cannot be read: '
    : unread === 'all'
      ? 'Which tokens it is for cannot be read: '
      : 'No token is known to be good: ';
  const value: RequestAuthenticationManifest = {
    metadata,
    spec: lost ? {} : { targetRefs: targets },
    standIn: lost ? 'namespace' : 'attached',
    unread,
  };
  const effect = `${whom}${who} refused (401) at the waypoints ${where}, until it is mended.`;
  return { manifest: { kind: 'RequestAuthentication', value }, effect };
}
