/**
 * Evidence of a decision: delivery needs a Permit, and only `authorise()` makes one.
 */
import type { SocketAddress, IpAddress } from '@clearmesh/shared/model/ip-address';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { DryRunNote } from '@clearmesh/shared/policy/evaluate';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';

/** The facts policy sees of one inbound connection (section 8.1 step 8). */
export type InboundFacts = {
  /** Immediate TCP peer. */
  readonly sourceIp: IpAddress;
  /** Identity proven by mTLS; absent for plaintext. */
  readonly identity?: SpiffeId;
  /** On whose behalf the identity asks: only what `originalCaller` believed. Policy then sees this one. */
  readonly caller?: SpiffeId;
  /** Final address, after port resolution. */
  readonly destination: SocketAddress;
  /** The accepting workload as it was at accept time. */
  readonly workload: Workload;
};

declare const brand: unique symbol;

export type Permit = {
  readonly [brand]: 'Permit';
  readonly kind: 'permit';
  readonly facts: InboundFacts;
  /** Absent where no ALLOW policy applies. */
  readonly allowedBy?: PolicyKey;
  /** What dry-run policies would have done; for the log only. */
  readonly dryRun: readonly DryRunNote[];
};

/**
 * Why not: the policy and the index of its rule, or the lack of any ALLOW that matches; `waypoint-bypass` for a peer
 * that is not the required waypoint; `unknown-policy` while a policy that the workload lists has not arrived;
 * `tracking-full` when no further live connection can be watched for policy changes.
 */
export type Denial = {
  readonly kind: 'denied';
  readonly reason: 'explicit-deny' | 'no-allow-matched' | 'waypoint-bypass' | 'unknown-policy' | 'tracking-full';
  readonly policy?: PolicyKey;
  readonly rule?: number;
  /** One sentence with policy, rule and both identities. */
  readonly explanation: string;
  readonly dryRun: readonly DryRunNote[];
};
