/** The program that says rules to the kernel: nft, or iptables where the node's other software keeps to that. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { guardTable } from './guard-rules.ts';
import { podTables } from './pod-rules.ts';
import type { Redirection } from './redirection.ts';
import type { Rule, Table } from './rule.ts';

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
  /** Rules that are not there, or not in their order; empty for a pod that is captured as it has to be. */
  missing(task: RuleTask, redirection: Redirection, signal: AbortSignal): Promise<readonly string[]>;
}

/** All that stands in a captured pod. */
export function allTables(redirection: Redirection): readonly Table[] {
  return [...podTables(redirection), guardTable(redirection, 'reject')];
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

/** A rule as far as its listing tells it: where it stands, its row, and what becomes of the packet. */
export function ruleLine(place: string, row: string, verdict: string): string {
  return `${place}: ${row}${verdict === '' ? '' : ` → ${verdict}`}`;
}

/** The verdict in one word, '' for a rule that only changes marks or zones. */
export function verdictOf({ action }: Rule): string {
  switch (action.kind) {
    case 'accept':
    case 'return':
    case 'drop':
    case 'reject':
      return action.kind;
    case 'redirect':
      return String(action.port);
    case 'mark-connection':
    case 'restore-mark':
    case 'connection-zone':
      return '';
    default:
      return unreachable(action);
  }
}
