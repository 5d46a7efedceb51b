/** The program that says rules to the kernel: nft, or iptables where the node's other software keeps to that. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { INBOUND_PORT, OUTBOUND_PORT, capturesOutbound } from './pod-rules.ts';
import type { Redirection } from './redirection.ts';

export type AddressFamily = 4 | 6;

/** What to do where. */
export type RuleTask = {
  readonly namespace: NetworkNamespace;
  /** Families the namespace has and the mesh looks after. */
  readonly families: readonly AddressFamily[];
};

/**
 * What becomes of a new connection in the moments while rules are being installed. Closed: it has to try again, a second later.
 * Open: it passes, if only because it would have passed before or may pass after; for a pod that joins or leaves while it runs.
 */
export type Meanwhile = 'closed' | 'open';

/** Every operation is repeatable; each rejects with MESH-REDIRECT-001 when it fails. */
export interface RuleBackend {
  /** For messages. */
  readonly name: string;
  /** Guard that drops, or none, then redirection, then guard that rejects (guard-rules.ts, G1 and G2). */
  install(task: RuleTask, redirection: Redirection, meanwhile: Meanwhile, signal: AbortSignal): Promise<void>;
  /** Redirection and guard go, also where there are none. */
  remove(task: RuleTask, signal: AbortSignal): Promise<void>;
  /** Whether anything of ours stands in the namespace, if only in part. */
  isThere(task: RuleTask, signal: AbortSignal): Promise<boolean>;
  /** How the pod's rules compare with those it should have, as the kernel shows both. */
  inspect(task: RuleTask, redirection: Redirection, signal: AbortSignal): Promise<Inspection>;
}

export type Inspection = {
  /** Rules that are not there as they have to be, in the words of the program; empty: all is well. */
  readonly deviations: readonly string[];
  /** What the proxy has to get goes to it all the same: by rules of another version, or by rules that somebody has changed. */
  readonly captures: boolean;
};

/** The ports of the proxy that something has to lead to, and the chain that leads there. */
export function redirects(redirection: Redirection): readonly (readonly ['prerouting' | 'output', number])[] {
  return [
    ...(redirection.inboundCapture === false ? [] : ([['prerouting', INBOUND_PORT]] as const)),
    ...(capturesOutbound(redirection) ? ([['output', OUTBOUND_PORT]] as const) : []),
  ];
}

/** The lines of `expected` that `found` lacks; a sentence where it has them all, but not as they have to be. */
export function deviations(expected: readonly string[], found: readonly string[]): readonly string[] {
  if (expected.length === found.length && expected.every((line, index) => line === found[index])) return [];
  const left = [...found];
  const lacking = expected.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return lacking.length > 0 ? lacking : ['the rules stand in another order, or with others between them'];
}
