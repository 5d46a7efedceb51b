/**
 * What a proxy serves once it knows the mesh, by its mode (l4-contract sections 1, 5 and 13).
 *
 *   shared:     begin ─▶ own pod, if its name is known ─▶ node agent ─▶ pods as it names them
 *   dedicated:  begin ─▶ the one workload, in the network namespace of the process
 *
 * S1  Nothing is served before: a pod captured before the mesh is known would be refused everything.
 * S2  A port that cannot be opened in the process's own namespace ends the process: no agent would notice, and none would try again.
 */
import { closeSync } from 'node:fs';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { connectSeqpacket } from '@clearmesh/linux/seqpacket';
import type { Readiness } from '@clearmesh/shared/admin/readiness';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import { CaptureReadiness } from './capture/capture-readiness.ts';
import { ZdsClient } from './capture/zds-client.ts';
import type { CapturedPods } from './capture/zds-client.ts';
import type { ZtunnelConfig } from './config.ts';

export type ServingDeps = {
  readonly plane: {
    readonly pods: CapturedPods<NetworkNamespace>;
    /** Throws MESH-CAPTURE-001. */
    openSelf(info: PodName): void;
  };
  readonly readiness: Pick<Readiness, 'task'>;
  readonly log: { scope(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
  /** Drain, then end with status 1. */
  readonly onFatal: (error: MeshError) => void;
};

export interface Serving {
  /** The mesh is known. */
  begin(): void;
  /** Pods that are known but not served. */
  recvPending(pending: number): void;
  /** Takes no more pods. */
  end(): Promise<void>;
}

export function createServing(config: Pick<ZtunnelConfig, 'mode' | 'capture' | 'dns'>, deps: ServingDeps): Serving {
  const { mode } = config;
  return mode.kind === 'shared'
    ? new NodeServing({ socketPath: config.capture.socketPath, self: mode.self }, deps)
    : new WorkloadServing({ workload: mode.workload, dns: config.dns !== undefined }, deps);
}

class NodeServing implements Serving {
  readonly #options: { readonly socketPath: string; readonly self: PodName | undefined };
  readonly #deps: ServingDeps;
  readonly #readiness: CaptureReadiness;
  readonly #agent = new AbortController();
  #conversation: Promise<void> = Promise.resolve();

  constructor(options: { readonly socketPath: string; readonly self: PodName | undefined }, deps: ServingDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#readiness = new CaptureReadiness({ task: () => deps.readiness.task('workload proxy manager') });
  }

  begin(): void {
    const { plane, log, clock, random, onFatal } = this.#deps;
    try {
      if (this.#options.self !== undefined) plane.openSelf(this.#options.self);
    } catch (thrown) {
      return onFatal(MeshError.from(thrown, 'MESH-CAPTURE-001'));
    }
    const client = new ZdsClient<NetworkNamespace>({
      dial: (signal) => connectSeqpacket(this.#options.socketPath, signal),
      pods: plane.pods,
      adoptNamespace: (fd) => NetworkNamespace.fromFd(fd),
      closeDescriptor: closeSync,
      clock,
      random,
      logger: log.scope('zds'),
      onState: (state) => this.#readiness.recvAgent(state),
      onFatal,
    });
    this.#conversation = client.run(this.#agent.signal);
  }

  recvPending(pending: number): void {
    this.#readiness.recvPending(pending);
  }

  end(): Promise<void> {
    this.#agent.abort();
    return this.#conversation;
  }
}

class WorkloadServing implements Serving {
  readonly #workload: PodName;
  readonly #deps: ServingDeps;
  /** Its listeners are opened together, and are two tasks to whoever asks for readiness. */
  readonly #tasks: readonly (() => void)[];

  constructor({ workload, dns }: { readonly workload: PodName; readonly dns: boolean }, deps: ServingDeps) {
    this.#workload = workload;
    this.#deps = deps;
    this.#tasks = ['proxy', ...(dns ? ['dns proxy'] : [])].map((name) => deps.readiness.task(name));
  }

  begin(): void {
    const { plane, onFatal } = this.#deps;
    const { namespace, name } = this.#workload;
    const spec = { uid: `${namespace}/${name}`, info: this.#workload, namespace: NetworkNamespace.current() };
    const failure = plane.pods.add(spec);
    if (failure !== undefined) return onFatal(new MeshError('MESH-CAPTURE-001', { message: failure }));
    for (const done of this.#tasks) done();
  }

  recvPending(): void {}

  async end(): Promise<void> {}
}
