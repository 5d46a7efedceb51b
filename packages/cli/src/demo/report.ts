/** What the demo found, in the form that `-o json` prints. */

import type { PaymentTrace } from './payment-trace.ts';

export type StepReport = {
  readonly name: string;
  readonly why: string;
  readonly ok: boolean;
  /** The measured facts, joined by "; ". */
  readonly evidence: string;
  readonly durationMs: number;
  /** Of the step that follows one payment. */
  readonly trace?: PaymentTrace;
};

/** What was on the link between the nodes after enrolment. */
export type WireReport = {
  /** TCP payload bytes between the bank's pods outside of TLS. */
  readonly plaintextBytes: number;
  /** All bytes that crossed the link. */
  readonly totalBytes: number;
  readonly tlsConnections: number;
  /** Versions agreed in the handshakes seen, such as `TLSv1.3`. */
  readonly tlsVersions: readonly string[];
  /** The key exchange group that every client hello put first, such as `X25519MLKEM768`. */
  readonly firstGroup: string;
  /** The groups that servers agreed to. */
  readonly agreedGroups: readonly string[];
  /** How often the standing order's account or amount was readable. */
  readonly secretsSeen: number;
};

export type DemoReport = {
  readonly ok: boolean;
  readonly steps: readonly StepReport[];
  readonly wire: WireReport;
  readonly durationMs: number;
};

/** A walk holds when every step was taken and every one holds. */
export function allHold(steps: readonly StepReport[], expected: number): boolean {
  return steps.length === expected && steps.every((step) => step.ok);
}
