/**
 * Whose certificate a caller may have (control-plane-contract section 5): its own, or, for a node proxy,
 * that of any pod on the proxy's own node, except waypoints.
 */
import { parseSpiffeId, identityParts, spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { belongsToWaypoint } from '../manifest/managed.ts';
import { isFinished, serviceAccountOf } from '../manifest/pod.ts';
import { accountOf } from './caller.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { Caller } from './caller.ts';

export type IdentityRequest = {
  readonly caller: Caller;
  /** `ImpersonatedIdentity` of the request; "" asks for the caller's own. */
  readonly requested: string;
};

export type IdentityFacts = {
  readonly trustDomain: string;
  /** `namespace/account` of node proxies. */
  readonly trustedNodeAccounts: ReadonlySet<string>;
  readonly pods: readonly PodManifest[];
};

export type IdentityDecision =
  | { readonly kind: 'granted'; readonly identity: SpiffeId }
  /** For the log only. */
  | { readonly kind: 'refused'; readonly reason: string };

export function decideIdentity(request: IdentityRequest, facts: IdentityFacts): IdentityDecision {
  const { caller, requested } = request;
  const own = spiffeId({ trustDomain: facts.trustDomain, namespace: caller.namespace, serviceAccount: caller.serviceAccount });
  if (requested === '' || requested === own) return { kind: 'granted', identity: own };
  const identity = parseSpiffeId(requested);
  if (identity === undefined) return refuse(`${shown(requested)} is no SPIFFE id`);
  const { trustDomain, namespace, serviceAccount } = identityParts(identity);
  if (trustDomain !== facts.trustDomain)
    return refuse(`${shown(requested)} is of another trust domain than ${facts.trustDomain}`);
  if (!facts.trustedNodeAccounts.has(accountOf(caller)))
    return refuse(`${accountOf(caller)} is no node proxy and may ask for its own identity only`);
  const node = nodeOf(caller, facts.pods);
  if (node.kind === 'unknown') return refuse(node.reason);
  const running = facts.pods.filter(
    (pod) =>
      pod.spec?.nodeName === node.name &&
      pod.metadata.namespace === namespace &&
      serviceAccountOf(pod) === serviceAccount &&
      !isFinished(pod),
  );
  if (running.length === 0) return refuse(`no pod of ${namespace}/${serviceAccount} runs on ${node.name}`);
  // A waypoint asks for itself; whoever else had its identity could speak for every caller behind it.
  if (running.every((pod) => belongsToWaypoint(pod.metadata.labels)))
    return refuse(`${namespace}/${serviceAccount} is a waypoint’s, and waypoints ask for themselves`);
  return { kind: 'granted', identity };
}

type CallerNode = { readonly kind: 'node'; readonly name: string } | { readonly kind: 'unknown'; readonly reason: string };

/**
 * The caller's node by its token, checked against the caller's pod where that is known: a directory need not list
 * the node proxies, but where it does, the token must be of that very pod.
 */
function nodeOf(caller: Caller, pods: readonly PodManifest[]): CallerNode {
  const { pod: bound, node } = caller;
  if (bound === undefined) return { kind: 'unknown', reason: 'the token is bound to no pod' };
  const pod = pods.find(({ metadata }) => metadata.namespace === caller.namespace && metadata.name === bound.name);
  if (pod === undefined) {
    return node === undefined
      ? { kind: 'unknown', reason: `pod ${caller.namespace}/${bound.name} is not known, and the token names no node` }
      : { kind: 'node', name: node };
  }
  const title = `pod ${caller.namespace}/${bound.name}`;
  if (pod.metadata.uid !== undefined && pod.metadata.uid !== bound.uid)
    return { kind: 'unknown', reason: `the token is of an earlier ${title}` };
  if (serviceAccountOf(pod) !== caller.serviceAccount)
    return { kind: 'unknown', reason: `${title} runs under another account than the token’s` };
  const known = pod.spec?.nodeName;
  if (node !== undefined && known !== undefined && node !== known)
    return { kind: 'unknown', reason: `${title} runs on ${known}, the token says ${node}` };
  const name = node ?? known;
  return name === undefined ? { kind: 'unknown', reason: `${title} has no node` } : { kind: 'node', name };
}

function refuse(reason: string): IdentityDecision {
  return { kind: 'refused', reason };
}

/** Quoted and short: the text comes from the network. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
