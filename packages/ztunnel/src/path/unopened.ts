/** Why a connection did not come about, in the few words that whoever asked for it may know. Pure. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { TunnelFailureFlag } from '@clearmesh/shared/tunnel/dialer';
import type { RefusalReason } from '../resolve/route.ts';
import { ConnectionCut } from './connection-cut.ts';
import type { DenialReason } from './connection-cut.ts';
import { Refusal } from './refusal.ts';

export type Unopened =
  /** By a decision: of this proxy, or a policy of the destination. */
  | 'denied'
  /** Nobody is there, or no way leads there. */
  | 'unreachable'
  /** The destination’s application took no connection. */
  | 'refused'
  | 'failed';

const byReason: Readonly<Partial<Record<DenialReason, Unopened>>> = {
  'self-call': 'denied',
  'no-healthy-upstream': 'unreachable',
  'waypoint-unavailable': 'unreachable',
  'network-gateway-unavailable': 'unreachable',
  'unknown-source': 'failed',
  'no-target': 'unreachable',
} satisfies Record<RefusalReason | 'no-target', Unopened>;

/** By what ended the attempt. */
export function unopenedBy(thrown: unknown): Unopened {
  if (thrown instanceof Refusal) return byReason[thrown.reason] ?? 'failed';
  if (thrown instanceof ConnectionCut) return thrown.flag === 'DENY' ? 'denied' : 'failed';
  if (!(thrown instanceof MeshError) || thrown.code !== 'MESH-DELIVER-001') return 'failed';
  const { cause } = thrown;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED' ? 'refused' : 'unreachable';
}

/** By the status that a CONNECT was answered with. */
export function unopenedByStatus(status: number): Unopened {
  return status === 401 || status === 421 ? 'denied' : 'refused';
}

/** By the flag of a tunnel that did not come about. */
export function unopenedByFlag(flag: TunnelFailureFlag): Unopened {
  if (flag === 'DENY') return 'denied';
  return flag === 'CONNECT' ? 'unreachable' : 'failed';
}
