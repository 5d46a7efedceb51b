/** A refusal of ztunnel in the words of objects, and what to change about it. Pure. */
import type { Denial, InboundFacts } from '@clearmesh/ztunnel/authorise/permit';
import { formatBinding, requiredAt } from '@clearmesh/ztunnel/authorise/waypoint-traversal';
import { principalOf } from '@clearmesh/shared/identity/spiffe';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { MtlsFinding, PolicyFinding } from './connection.ts';

export function denialText(
  view: MeshView,
  facts: InboundFacts,
  denial: Denial,
  mtls: MtlsFinding,
  policies: readonly PolicyFinding[],
): string {
  const { workload, destination } = facts;
  const pod = `${workload.namespace}/${workload.name}`;
  switch (denial.reason) {
    case 'explicit-deny': {
      const deciding = policies.find(({ decides }) => decides);
      if (isMode(deciding)) return `${pod} takes no plaintext at port ${destination.port}: mTLS is ${mtls.mode} by ${mtls.by}`;
      return `rule ${deciding?.rule ?? denial.rule ?? 0} of ${deciding?.object ?? denial.policy ?? 'a policy'} (DENY) matches`;
    }
    case 'no-allow-matched':
      return `ALLOW policies apply to ${pod} (${names(allowing(policies))}), and none of them matches ${callerOf(facts)}`;
    case 'waypoint-bypass':
      return `${pod} takes port ${destination.port} from its waypoint only: ${requiredAt(workload, destination.port, view.snapshot).map(formatBinding).join('; ')}`;
    case 'unknown-policy':
    case 'tracking-full':
      return denial.explanation;
    default:
      return unreachable(denial.reason);
  }
}

type Around = {
  readonly mtls: MtlsFinding;
  readonly policies: readonly PolicyFinding[];
  /** How a caller without an identity gets one. */
  readonly enrol: string;
};

export function changesFor(view: MeshView, facts: InboundFacts, denial: Denial, around: Around): readonly string[] {
  const { policies, enrol } = around;
  switch (denial.reason) {
    case 'explicit-deny': {
      const deciding = policies.find(({ decides }) => decides);
      if (isMode(deciding)) return plaintextChanges(facts, around);
      return [
        `If the call is wanted, narrow rule ${deciding?.rule ?? 0} of ${deciding?.object ?? 'the policy'}: no ALLOW overrides a DENY.`,
      ];
    }
    case 'no-allow-matched':
      return [allowRule(facts, around)];
    case 'waypoint-bypass':
      if (facts.identity === undefined) return [enrol];
      return [`Call ${boundService(view, facts)}, so that the connection passes the waypoint.`];
    case 'unknown-policy':
    case 'tracking-full':
      return ['Look at the status of the policies named: clearmesh get authorizationpolicies.'];
    default:
      return unreachable(denial.reason);
  }
}

function plaintextChanges({ workload }: InboundFacts, { enrol, mtls }: Around): readonly string[] {
  return [
    enrol,
    `Or let ${workload.namespace} take plaintext for a while: a PeerAuthentication with mode PERMISSIVE and clearmesh.io/permissive-until (now: ${mtls.by}).`,
  ];
}

/** A source is proven, or it can only be known by its address. */
function allowRule(facts: InboundFacts, { policies, enrol }: Around): string {
  const [first] = allowing(policies);
  const identity = facts.caller ?? facts.identity;
  const where = first === undefined ? 'an ALLOW policy' : first.object;
  if (identity === undefined) return `${enrol} Then a rule of ${where} can name it.`;
  const rule = `{from: [{source: {principals: ["${principalOf(identity)}"]}}], to: [{operation: {ports: ["${facts.destination.port}"]}}]}`;
  return `If the call is wanted, add to spec.rules of ${where}: ${rule}`;
}

/** The address that leads by the waypoint. */
function boundService(view: MeshView, { workload, destination }: InboundFacts): string {
  const service = requiredAt(workload, destination.port, view.snapshot).find((binding) => binding.service !== undefined)?.service;
  return service === undefined ? 'the pod from inside the mesh' : `Service ${service.namespace}/${service.name}`;
}

function callerOf({ identity, caller, sourceIp, destination }: InboundFacts): string {
  const who = caller ?? identity;
  return `${who ?? `plaintext from ${sourceIp}`} at ${formatSocketAddress(destination)}`;
}

function allowing(policies: readonly PolicyFinding[]): readonly PolicyFinding[] {
  return policies.filter(({ action, dryRun }) => action === 'ALLOW' && !dryRun);
}

function isMode(finding: PolicyFinding | undefined): boolean {
  return finding?.object.startsWith('PeerAuthentication') === true;
}

function names(policies: readonly PolicyFinding[]): string {
  return policies.map(({ object }) => object.replace(/^AuthorizationPolicy /, '')).join(', ');
}
