/**
 * Finds the network namespace of a pod: where the container runtime says it is, or by the pod's oldest process.
 *
 * F1  a namespace that is found is only believed when it owns an address of the pod: process numbers are used again.
 * F2  the host's own namespace is never a pod's.
 */
import { readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { podProcesses } from './processes.ts';
import type { PodProcess } from './processes.ts';

export type NamespaceFinderOptions = {
  /** The host's /proc. */
  readonly procPath: string;
};

export type SoughtPod = {
  /** UID, and what else the pod's cgroup may be named by. */
  readonly keys: readonly string[];
  readonly ips: readonly string[];
};

/** A namespace, which becomes its finder's caller's; or why there is none. */
export type Finding =
  | { readonly kind: 'found'; readonly netns: NetworkNamespace }
  | { readonly kind: 'missing'; readonly reason: string };

export class NamespaceFinder {
  readonly #procPath: string;
  #scan: Promise<readonly PodProcess[]> | undefined;

  constructor(options: NamespaceFinderOptions) {
    this.#procPath = options.procPath;
  }

  /** By the pod's processes. */
  async find(pod: SoughtPod): Promise<Finding> {
    const all = await this.#processes();
    const processes = all.filter(({ podUid }) => pod.keys.includes(podUid));
    let reason = `no process of it is in ${this.#procPath}, which has ${all.length} of pods`;
    const tried = new Set<string>();
    for (const { pid, namespace } of processes) {
      if (tried.has(namespace)) continue;
      tried.add(namespace);
      const netns = this.#open(join(this.#procPath, String(pid), 'ns/net'));
      if (typeof netns === 'string') reason = netns;
      else if (ownsOne(netns, pod.ips)) return { kind: 'found', netns };
      else {
        netns[Symbol.dispose]();
        reason = `process ${pid} of it is in a network namespace without any of ${pod.ips.join(', ')}`;
      }
    }
    return { kind: 'missing', reason };
  }

  /** By the path that the container runtime gave; `pid` is a process that can see it. */
  openPath(path: string, pid: number): Finding {
    // The mount may not have reached the agent's file system: then an empty file is there, or none.
    const reasons: string[] = [];
    for (const candidate of [path, join(this.#procPath, String(pid), 'root', path)]) {
      const netns = this.#open(candidate);
      if (typeof netns === 'string') reasons.push(netns);
      else return { kind: 'found', netns };
    }
    return { kind: 'missing', reason: reasons.join('; ') };
  }

  /** Those who ask while the processes are being read share the answer, as at start, when all pods are sought at once. */
  #processes(): Promise<readonly PodProcess[]> {
    this.#scan ??= podProcesses(this.#procPath, this.#hostNamespace()).finally(() => (this.#scan = undefined));
    return this.#scan;
  }

  #open(path: string): NetworkNamespace | string {
    try {
      const netns = NetworkNamespace.open(path);
      if (`net:[${netns.inode}]` !== this.#hostNamespace()) return netns;
      netns[Symbol.dispose]();
      return `${path} is the host's own network namespace`;
    } catch (error) {
      return `${path}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** The agent's own, since it runs in the host's network. */
  #hostNamespace(): string {
    return readlinkSync('/proc/self/ns/net');
  }
}

function ownsOne(netns: NetworkNamespace, ips: readonly string[]): boolean {
  const wanted = new Set(ips.map((ip) => parseIp(ip)));
  const interfaces = netns.run(() => networkInterfaces());
  return Object.values(interfaces).some((addresses) => addresses?.some(({ address }) => wanted.has(parseIp(address))) ?? false);
}
