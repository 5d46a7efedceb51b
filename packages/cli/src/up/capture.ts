/** Putting a pod's traffic into the hands of its node's proxy, and taking it back; implemented over packages/node-agent. */

import type { Redirection } from '@clearmesh/node-agent/redirect/redirection';

export type CapturedPod = {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly namespacePath: string;
  readonly ip: string;
  readonly redirection: Redirection;
};

export interface Capture {
  /** Resolves once the rules are in the pod and its proxy has acknowledged it. Calling it again is harmless. */
  capture(pod: CapturedPod, signal: AbortSignal): Promise<void>;
  /** Resolves once the proxy let go and the rules are gone, in this order: in between, traffic fails closed. */
  release(pod: CapturedPod, signal: AbortSignal): Promise<void>;
}
