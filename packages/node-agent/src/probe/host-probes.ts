/**
 * Lets the node's own connections to enrolled pods pass: the kubelet's probes first. They take on a source that the pods' rules
 * let in, so that they reach the application without the mesh.
 *
 * O1  an address belongs to the pod that had it last: a pod that goes late takes nothing from its successor.
 * O2  operations follow one another; a failed one does not stop the next.
 */
import type { ProbeBackend } from './probe-backend.ts';

export class HostProbes {
  readonly #backend: ProbeBackend;
  readonly #owners = new Map<string, string>();
  #last: Promise<void> = Promise.resolve();

  constructor(deps: { readonly backend: ProbeBackend }) {
    this.#backend = deps.backend;
  }

  /** Rules and sets stand from here on; addresses of an earlier agent stay until {@link settle}. */
  install(signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#backend.install(signal));
  }

  /** The pod's addresses, in place of those it had. */
  add(uid: string, ips: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const stale = this.#ipsOf(uid).filter((ip) => !ips.includes(ip));
      if (stale.length > 0) await this.#backend.remove(stale, signal);
      for (const ip of stale) this.#owners.delete(ip);
      await this.#backend.add(ips, signal);
      for (const ip of ips) this.#owners.set(ip, uid);
    });
  }

  remove(uid: string, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const ips = this.#ipsOf(uid);
      if (ips.length > 0) await this.#backend.remove(ips, signal);
      for (const ip of ips) this.#owners.delete(ip);
    });
  }

  /** The addresses that were added are all there are: those of pods that went while no agent ran go now. */
  settle(signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#backend.replace([...this.#owners.keys()], signal));
  }

  uninstall(signal: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#backend.uninstall(signal));
  }

  #ipsOf(uid: string): readonly string[] {
    return [...this.#owners].filter(([, owner]) => owner === uid).map(([ip]) => ip);
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
