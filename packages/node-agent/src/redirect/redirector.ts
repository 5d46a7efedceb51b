/**
 * Installs and removes the redirection in a pod's network namespace. Both are repeatable: they end in the same state
 * whatever was there before.
 *
 * P1  routes first, then the rules in one transaction: from the first captured connection on, replies find their way.
 * P2  a failure leaves the pod uncaptured, captured as before, or closed to new connections by its guard, and is an error: the
 *     caller must not let the pod start on it, and tries again or removes.
 * P3  removal goes the other way round.
 * P4  the guard stands around it all: see guard-rules.ts.
 */
import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { guardScript, installScript, removeScript } from './nft-script.ts';
import type { RunInNamespace } from './namespace-command.ts';
import { installRoutes, removeRoutes } from './policy-route.ts';
import type { RouteFamily, RouteScript } from './policy-route.ts';
import type { Redirection } from './redirection.ts';

export type RedirectorDeps = {
  readonly run: RunInNamespace;
  /** Whether the namespace has IPv6 at all. @default {@link namespaceHasIpv6} */
  readonly hasIpv6?: (namespace: NetworkNamespace) => boolean;
};

/** Owns nothing; the namespaces stay their callers'. */
export class Redirector {
  readonly #run: RunInNamespace;
  readonly #hasIpv6: (namespace: NetworkNamespace) => boolean;

  constructor(deps: RedirectorDeps) {
    this.#run = deps.run;
    this.#hasIpv6 = deps.hasIpv6 ?? namespaceHasIpv6;
  }

  /** Captures the pod: installs, updates or repairs its rules. */
  async install(namespace: NetworkNamespace, redirection: Redirection, signal: AbortSignal): Promise<void> {
    const script = installScript(redirection);
    for (const family of this.#familiesOf(namespace, redirection)) await this.#route(namespace, installRoutes(family), signal);
    await this.#nft(namespace, guardScript(redirection, 'drop'), signal);
    await this.#nft(namespace, script, signal);
    await this.#nft(namespace, guardScript(redirection, 'reject with tcp reset'), signal);
  }

  /** Releases the pod; its connections through the proxy end. */
  async remove(namespace: NetworkNamespace, signal: AbortSignal): Promise<void> {
    await this.#nft(namespace, removeScript(), signal);
    for (const family of this.#familiesOf(namespace, {})) await this.#route(namespace, removeRoutes(family), signal);
  }

  #familiesOf(namespace: NetworkNamespace, redirection: Redirection): readonly RouteFamily[] {
    // The rules may name IPv6 where there is none, routes may not ("IPv6 is disabled on nexthop device").
    return redirection.ipv6 !== false && this.#hasIpv6(namespace) ? [4, 6] : [4];
  }

  async #nft(namespace: NetworkNamespace, script: string, signal: AbortSignal): Promise<void> {
    const { status, complaint } = await this.#attempt(namespace, ['nft', '-f', '-'], script, signal);
    if (status !== 0) throw failure(namespace, 'nft', status, complaint);
  }

  async #route(namespace: NetworkNamespace, script: RouteScript, signal: AbortSignal): Promise<void> {
    const { family, lines, harmless } = script;
    // -force: a line that finds its work done must not keep the next from running.
    const command = ['ip', `-${family}`, '-force', '-batch', '-'] as const;
    const { status, complaint } = await this.#attempt(namespace, command, `${lines.join('\n')}\n`, signal);
    if (status !== 0 && !isHarmless(complaint, harmless)) throw failure(namespace, `ip -${family}`, status, complaint);
  }

  async #attempt(
    namespace: NetworkNamespace,
    command: readonly [string, ...string[]],
    input: string,
    signal: AbortSignal,
  ): ReturnType<RunInNamespace> {
    try {
      return await this.#run(namespace, command, input, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw MeshError.from(error, 'MESH-REDIRECT-001');
    }
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

function failure(namespace: NetworkNamespace, program: string, status: number | undefined, complaint: string): MeshError {
  const said = complaint.trim().split('\n', 1)[0] ?? '';
  return new MeshError('MESH-REDIRECT-001', {
    message: `${program} in network namespace ${namespace.inode} ended with ${status ?? 'a signal'}: ${said === '' ? 'no message' : said}`,
  });
}
