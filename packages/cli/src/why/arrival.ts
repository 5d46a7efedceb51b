/**
 * A connection at the pod it is meant for: the decision of its ztunnel. Pure; `authorise` and `resolveInbound` are the ones
 * that ztunnel calls.
 */
import { authorise, policiesFor } from '@clearmesh/ztunnel/authorise/authorise';
import type { Denial, InboundFacts, Permit } from '@clearmesh/ztunnel/authorise/permit';
import { resolveInbound, resolvePlaintext } from '@clearmesh/ztunnel/resolve/inbound';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { matchingRule } from '@clearmesh/shared/policy/match';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { Decision, MtlsFinding, PolicyFinding } from './connection.ts';
import { changesFor, denialText } from './denial.ts';
import { mtlsOf } from './mtls.ts';
import { rulesText, writtenRule } from './rule-text.ts';

export type Arriving = {
  readonly workload: Workload;
  readonly sourceIp: IpAddress;
  /** The pod's own address and the port that is asked for. */
  readonly destination: SocketAddress;
  /** Absent for plaintext. */
  readonly identity?: SpiffeId;
  /** On whose behalf a waypoint asks. */
  readonly caller?: SpiffeId;
  /** How the caller comes into the mesh, where it is not. */
  readonly enrol?: string;
};

export type Arrival = Decision & { readonly policies: readonly PolicyFinding[]; readonly mtls: MtlsFinding };

export function arrive(view: MeshView, arriving: Arriving): Arrival {
  const { workload, sourceIp, identity, caller, destination } = arriving;
  const labels = view.pods.get(workload.uid)?.metadata.labels;
  const target =
    identity === undefined
      ? resolvePlaintext(destination, workload, view.snapshot)
      : resolveInbound({ authority: { kind: 'ip', address: destination }, accepted: destination, workload }, view.snapshot);
  if (target.kind === 'rejected') {
    const because = `ztunnel of ${workload.namespace}/${workload.name} refuses ${formatSocketAddress(destination)}: ${target.reason}`;
    const mtls = mtlsOf(view, workload.namespace, labels);
    return { verdict: 'REFUSED', because, changes: ['Ask for a port of the application.'], policies: [], mtls };
  }
  const mtls = mtlsOf(view, workload.namespace, labels, target.address.port);
  const facts: InboundFacts = {
    sourceIp,
    destination: target.address,
    workload,
    ...(identity === undefined ? {} : { identity }),
    ...(caller === undefined ? {} : { caller }),
  };
  const decided = authorise(facts, view.snapshot);
  const policies = policiesFor(workload, view.snapshot).map((policy) => findingOf(view, policy, facts, decided, mtls));
  const unwritten = policies.filter(({ object }) => !object.startsWith('PeerAuthentication') || mtls.mode === 'STRICT');
  if (decided.kind === 'permit') return { ...permitted(policies, mtls), policies: unwritten, mtls };
  return {
    verdict: 'REFUSED',
    because: denialText(view, facts, decided, mtls, policies),
    changes: changesFor(view, facts, decided, { mtls, policies, enrol: arriving.enrol ?? 'Put the caller into the mesh.' }),
    policies: unwritten,
    mtls,
  };
}

function permitted(policies: readonly PolicyFinding[], { mode }: MtlsFinding): Decision {
  const deciding = policies.find(({ decides }) => decides);
  const because =
    deciding === undefined
      ? `no ALLOW policy applies to the destination, and no DENY policy matches: ${mode === 'STRICT' ? 'whoever proves an identity' : 'anybody'} may call`
      : `rule ${deciding.rule ?? 0} of ${deciding.object} (ALLOW) matches`;
  return { verdict: 'ALLOWED', because, changes: [] };
}

function findingOf(
  view: MeshView,
  policy: Authorization,
  facts: InboundFacts,
  decided: Permit | Denial,
  mtls: MtlsFinding,
): PolicyFinding {
  const identity = facts.caller ?? facts.identity;
  const { sourceIp, destination } = facts;
  const rule = matchingRule(policy, { sourceIp, destination, ...(identity === undefined ? {} : { identity }) });
  const key = decided.kind === 'permit' ? decided.allowedBy : decided.policy;
  const written = view.collections.authorizationPolicies.find(
    ({ metadata }) => metadata.namespace === policy.namespace && metadata.name === policy.name,
  );
  return {
    object: written === undefined ? peerObject(policy, mtls) : `AuthorizationPolicy ${policy.key}`,
    action: policy.action,
    at: 'ztunnel',
    dryRun: policy.dryRun,
    outcome: rule === -1 ? 'no match' : 'matches',
    ...(rule === -1 ? {} : { rule: written === undefined ? rule : writtenRule(written, rule, view.options) }),
    says: written === undefined ? ['who proves no identity'] : rulesText(written),
    decides: policy.key === key,
  };
}

/** What the control plane makes of mTLS modes. */
function peerObject({ name, namespace }: Authorization, mtls: MtlsFinding): string {
  const prefix = 'converted_peer_authentication_';
  if (name.startsWith(prefix)) return `PeerAuthentication ${namespace}/${name.slice(prefix.length)}`;
  return `PeerAuthentication (${mtls.mode} by ${mtls.by.replace(/^PeerAuthentication /, '')})`;
}
