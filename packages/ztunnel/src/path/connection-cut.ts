/** Why the proxy itself ended a connection; the reason of its abort signal. */
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Denial } from '../authorise/permit.ts';
import type { RefusalReason } from '../resolve/route.ts';
import type { AcceptFailureReason } from '@clearmesh/shared/tunnel/acceptor';

/** How a connection ended, as metrics and logs flag it (l4-contract section 11.1); NWP: a required waypoint is missing. */
export type ResponseFlag =
  | '-'
  | 'DENY'
  | 'CONNECT'
  | 'TLS_FAILURE'
  | 'H2_HANDSHAKE_FAILURE'
  | 'NETWORK_POLICY'
  | 'IDENTITY_ERROR'
  | 'CERT_REVOKED'
  | 'NWP';

/** Why a decision of ours ended a connection: the few words it is counted by. */
export type DenialReason =
  | RefusalReason
  | Denial['reason']
  /** The accepting pod is not known to the control plane. */
  | 'unknown-workload'
  /** Asked for on demand, the control plane has not said what is at the address. */
  | 'not-discovered'
  /** Not a CONNECT, or an authority that is malformed or another pod's. */
  | 'bad-request'
  /** The peer speaks for another as the waypoint of the destination, which it was and is no longer. */
  | 'former-waypoint'
  /** A hostname, port or VIP that cannot be resolved, or a port of the proxy. */
  | 'no-target'
  /** The peer did not prove who it is, by the reason why. */
  | `tls-${Exclude<AcceptFailureReason, 'certificate-unavailable'>}`
  /** The pod's own certificate is not there. */
  | 'certificate-unavailable'
  /** The pod holds all the connections it may. */
  | 'too-many-connections'
  | 'policy-change'
  | 'draining';

export type ConnectionCutInit = {
  readonly flag: ResponseFlag;
  readonly message: string;
  /** The word it is counted by, when a decision of ours denied it. */
  readonly denial?: DenialReason | undefined;
  readonly policy?: PolicyKey | undefined;
  readonly rule?: number | undefined;
};

export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut';
  readonly flag: ResponseFlag;
  readonly denial: DenialReason | undefined;
  readonly policy: PolicyKey | undefined;
  readonly rule: number | undefined;

  constructor(init: ConnectionCutInit) {
    super(init.message);
    this.flag = init.flag;
    this.denial = init.denial;
    this.policy = init.policy;
    this.rule = init.rule;
  }
}

/** A policy that changed now denies a connection that is open. */
export function cutByPolicy({ explanation, policy, rule }: Denial): ConnectionCut {
  const message = `connection closed due to policy change: ${explanation}`;
  return new ConnectionCut({ flag: 'DENY', denial: 'policy-change', message, policy, rule });
}
