/**
 * Installs and removes the redirection in a pod's network namespace. Both are repeatable: they end in the same state
 * whatever was there before.
 *
 * P1  routes first, then the rules in one transaction: from the first captured connection on, replies find their way.
 * P2  a failure leaves the pod uncaptured, captured as before, or closed to new connections by its guard, and is an error: the
 *     caller must not let the pod start on it, and tries again or removes.
 * P3  removal goes the other way round.
 * P4  the guard stands around it all: see guard-rules.ts.
 * P5  a pod that is captured already, by rules of an earlier version, stays so at every moment: old rules are asked until the
 *     transaction that puts the new ones in their place.
 */
import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { executor } from './execute.ts';
import type { Execute } from './execute.ts';
import type { RunInNamespace } from './namespace-command.ts';
import { nftBackend } from './nft-backend.ts';
import { hasRoute, hasRule, installRoutes, listRoute, listRule, removeRoutes } from './policy-route.ts';
import type { RouteScript } from './policy-route.ts';
import type { Redirection } from './redirection.ts';
import type { AddressFamily, Inspection, Meanwhile, RuleBackend, RuleTask } from './rule-backend.ts';

export type RedirectorDeps = {
  readonly run: RunInNamespace;
  /** Whether the namespace has IPv6 at all. @default {@link namespaceHasIpv6} */
  readonly hasIpv6?: (namespace: NetworkNamespace) => boolean;
  /** What says the rules to the kernel. @default {@link nftBackend} */
  readonly backend?: (execute: Execute) => RuleBackend;
};

/** Owns nothing; the namespaces stay their callers'. */
export class Redirector {
  readonly #execute: Execute;
  readonly #backend: RuleBackend;
  readonly #hasIpv6: (namespace: NetworkNamespace) => boolean;

  constructor(deps: RedirectorDeps) {
    this.#execute = executor(deps.run);
    this.#backend = (deps.backend ?? nftBackend)(this.#execute);
    this.#hasIpv6 = deps.hasIpv6 ?? namespaceHasIpv6;
  }

  /** Captures the pod: installs, updates or repairs its rules. */
  async install(
    namespace: NetworkNamespace,
    redirection: Redirection,
    signal: AbortSignal,
    meanwhile: Meanwhile = 'closed',
  ): Promise<void> {
    const task = this.#task(namespace, redirection);
    for (const family of task.families) await this.#route(namespace, installRoutes(family), signal);
    await this.#backend.install(task, redirection, meanwhile, signal);
  }

  /** Releases the pod; connections that it still has through the proxy are cut off. */
  async remove(namespace: NetworkNamespace, signal: AbortSignal): Promise<void> {
    const task = this.#task(namespace, {});
    await this.#backend.remove(task, signal);
    for (const family of task.families) await this.#route(namespace, removeRoutes(family), signal);
  }

  /** Whether the pod has been captured before, if only in part; one that was let go (pod-rules.ts, M6) counts as never captured. */
  async hasBegun(namespace: NetworkNamespace, signal: AbortSignal): Promise<boolean> {
    // The route's rule comes first and goes last.
    const hasRoutes = hasRule(await this.#execute(namespace, ['ip', '-4', ...listRule], '', signal));
    // Rules without it: those of a program that the agent which released the pod did not ask.
    if (!hasRoutes) return this.#backend.isThere(this.#task(namespace, {}), signal);
    const letGo: Redirection = { inboundCapture: false, outboundCapture: false };
    return (await this.#backend.inspect(this.#task(namespace, letGo), letGo, signal)).deviations.length > 0;
  }

  /** How the pod's redirection compares with the one it should have, by content: rules of another version deviate. */
  async inspect(namespace: NetworkNamespace, redirection: Redirection, signal: AbortSignal): Promise<Inspection> {
    const task = this.#task(namespace, redirection);
    const { deviations, captures } = await this.#backend.inspect(task, redirection, signal);
    const lacking: string[] = [];
    for (const family of task.families) {
      const list = (words: readonly string[]): Promise<string> =>
        // A table without a route does not exist, and ip says so.
        this.#execute(namespace, ['ip', `-${family}`, ...words], '', signal, { forgive: (text) => /FIB table/.test(text) });
      if (!hasRule(await list(listRule))) lacking.push(`IPv${family}: rule of the return path`);
      if (!hasRoute(await list(listRoute))) lacking.push(`IPv${family}: route of the return path`);
    }
    return { deviations: [...deviations, ...lacking], captures: captures && lacking.length === 0 };
  }

  #task(namespace: NetworkNamespace, redirection: Redirection): RuleTask {
    // The rules may name IPv6 where there is none, routes may not ("IPv6 is disabled on nexthop device").
    const families: readonly AddressFamily[] = redirection.ipv6 !== false && this.#hasIpv6(namespace) ? [4, 6] : [4];
    return { namespace, families };
  }

  async #route(namespace: NetworkNamespace, { family, lines, harmless }: RouteScript, signal: AbortSignal): Promise<void> {
    // -force: a line that finds its work done must not keep the next from running.
    const command = ['ip', `-${family}`, '-force', '-batch', '-'] as const;
    const forgive = (complaint: string): boolean => isHarmless(complaint, harmless);
    await this.#execute(namespace, command, `${lines.join('\n')}\n`, signal, { forgive });
  }
}

/** False where the kernel has no IPv6 or the namespace's loopback has it switched off. */
export function namespaceHasIpv6(namespace: NetworkNamespace): boolean {
  return namespace.run(() => {
    try {
      return readFileSync('/proc/sys/net/ipv6/conf/lo/disable_ipv6', 'latin1').trim() === '0';
    } catch {
      return false;
    }
  });
}

/** True when ip complained, and only about what is as wanted already. */
function isHarmless(complaint: string, harmless: RegExp): boolean {
  const lines = complaint.split('\n').filter((line) => line !== '' && !/^Command failed -:\d+$/.test(line));
  return lines.length > 0 && lines.every((line) => harmless.test(line));
}
