/**
 * What policy decided, for those who tune it: each decision at debug (or info by AUTHZ_POLICY_INFO_LOGGING), what
 * dry-run policies would have done (counted too), and policies a workload names that are not there (l4-contract section 9).
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { DryRunNote } from '@clearmesh/shared/policy/evaluate';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Denial, InboundFacts, Permit } from '../authorise/permit.ts';

export type PolicyLogDeps = {
  /** The policy scope. */
  readonly logger: Logger;
  readonly metrics: { dryRun(outcome: DryRunNote['outcome'], policy: PolicyKey | undefined): void };
};

export type PolicyLogOptions = {
  /** @default debug */
  readonly decisions: 'debug' | 'info';
};

/** Keys remembered as missing; beyond it a missing policy is not mentioned any more. */
const maxMentioned = 1_000;

export class PolicyLog {
  readonly #decisions: 'debug' | 'info';
  readonly #logger: Logger;
  readonly #metrics: PolicyLogDeps['metrics'];
  readonly #mentioned = new Set<PolicyKey>();

  constructor(options: PolicyLogOptions, deps: PolicyLogDeps) {
    this.#decisions = options.decisions;
    this.#logger = deps.logger;
    this.#metrics = deps.metrics;
  }

  /** One decision about one connection. */
  recvDecision({ sourceIp, identity, caller, destination }: InboundFacts, decision: Permit | Denial): void {
    const address = formatSocketAddress(destination);
    const facts = { 'src.ip': sourceIp, 'src.identity': identity, 'src.caller': caller, 'dst.addr': address };
    for (const note of decision.dryRun) {
      this.#metrics.dryRun(note.outcome, note.outcome === 'no-allow-would-match' ? undefined : note.policy);
      const matched = note.outcome === 'no-allow-would-match' ? {} : { policy: note.policy, rule: note.rule };
      this.#logger[this.#decisions](`dry run: ${note.outcome}`, { ...facts, ...matched });
    }
    if (decision.kind === 'permit') this.#logger[this.#decisions]('allowed', { ...facts, policy: decision.allowedBy });
    else
      this.#logger[this.#decisions]('denied', {
        ...facts,
        policy: decision.policy,
        rule: decision.rule,
        why: decision.explanation,
      });
  }

  /** Policies a workload lists that nobody sent, for which it is closed. Each is mentioned once. */
  recvMissing(keys: readonly PolicyKey[]): void {
    for (const policy of keys) {
      if (this.#mentioned.has(policy) || this.#mentioned.size >= maxMentioned) continue;
      this.#mentioned.add(policy);
      this.#logger.warn('a workload lists a policy that is not known; until it arrives nobody new reaches the workload', {
        policy,
      });
    }
  }
}
