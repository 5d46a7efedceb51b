/**
 * A whole mesh for one directory of manifests: lab, control plane, a proxy and a node agent for each node, and the pods,
 * waypoints among them.
 *
 *   start: read manifests ▶ lab ▶ control plane ▶ proxies ▶ pods      up ── dispose ──▶ gone
 *
 * U1  a directory with an error starts nothing; an error that comes later changes nothing, and is said.
 * U2  everything hangs on one stack of resources: what was started is ended in the opposite order, however the start ends.
 * U3  a program of the mesh that ends by itself is started again; one that keeps ending is a failure of the whole:
 *     `failure` aborts with its last words.
 */
import type { Lab } from '@clearmesh/lab/lab';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { trafficRows } from '../traffic/traffic.ts';
import type { TrafficRow } from '../traffic/traffic.ts';
import type { Kubelet } from './kubelet.ts';
import { programsOf, startParts } from './mesh-parts.ts';
import type { MeshDeps, MeshOptions, MeshParts } from './mesh-parts.ts';
import type { NodeProxy } from './node-proxy.ts';
import type { Sandbox } from './pod-sandbox.ts';
import type { Program } from './program.ts';
import type { TraceReceiverProcess } from './trace-receiver-process.ts';

const pollMs = 20;

export class Mesh implements AsyncDisposable {
  readonly #parts: MeshParts;
  readonly #resources: AsyncDisposableStack;
  readonly #clock: Clock;

  private constructor(parts: MeshParts, resources: AsyncDisposableStack, clock: Clock) {
    this.#parts = parts;
    this.#resources = resources;
    this.#clock = clock;
  }

  /** Resolves when the pods are being made; {@link ManifestErrors} when the directory has errors. */
  static async start(options: MeshOptions, deps: MeshDeps, signal: AbortSignal): Promise<Mesh> {
    await using starting = new AsyncDisposableStack();
    const parts = await startParts(options, deps, starting, signal);
    return new Mesh(parts, starting.move(), deps.clock);
  }

  /**
   * Resolves when every pod is as its manifest wants it and every proxy knows; MESH-HOST-001 with those that are late
   * after `limitMs`.
   */
  async settled(limitMs: number, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.timeout(limitMs);
    const until = AbortSignal.any([signal, this.failure, limit]);
    try {
      await this.kubelet.settled(until);
      await this.known(until);
    } catch (reason) {
      if (!limit.aborted) throw reason;
      const late = this.kubelet.sandboxes.filter(({ ready }) => !ready).map(({ spec }) => spec.key);
      throw new MeshError('MESH-HOST-001', {
        message: `not ready within ${limitMs / 1000} s: ${late.join(', ') || 'the redirection of a pod'}`,
        hint: 'The lines above say what became of each pod.',
      });
    }
  }

  /**
   * Resolves when every proxy reaches exactly the captured pods, and those that end tunnels themselves, through tunnels,
   * and takes for healthy what is ready. Until a proxy has heard of a capture it still dials that pod in plaintext, which
   * the pod refuses; so nothing is asked of the pods, the proxies themselves tell.
   */
  async known(signal: AbortSignal): Promise<void> {
    for (const proxy of this.proxies.values())
      while (!(await this.#isKnownBy(proxy, signal))) await delay(this.#clock, pollMs, signal);
  }

  async #isKnownBy(proxy: NodeProxy, signal: AbortSignal): Promise<boolean> {
    const known = await proxy.knownPods(signal).catch(() => undefined);
    signal.throwIfAborted();
    return this.kubelet.sandboxes.every((sandbox) => {
      const pod = known?.pods.get(sandbox.spec.key);
      if (pod === undefined && known?.onDemand === true) return true;
      const { tunnelled = false, healthy = false } = pod ?? {};
      return tunnelled === (sandbox.redirection === 'enabled' || endsTunnels(sandbox)) && healthy === sandbox.ready;
    });
  }

  /** The directory in use: the one asked for, or its copy. */
  get directory(): string {
    return this.#parts.directory;
  }

  /** Where the control plane keeps its root. */
  get stateDir(): string {
    return this.#parts.stateDir;
  }

  /** The status of objects, which the control plane keeps up to date. */
  get statusOut(): string {
    return this.#parts.statusOut;
  }

  /** The control plane, the proxies and the receiver of traces; a waypoint is a pod. */
  get programs(): readonly Program[] {
    return programsOf(this.#parts);
  }

  /** The receiver of traces, where one was asked for. */
  get traces(): TraceReceiverProcess | undefined {
    return this.#parts.traces;
  }

  get lab(): Lab {
    return this.#parts.lab;
  }

  get kubelet(): Kubelet {
    return this.#parts.kubelet;
  }

  /** By node name. */
  get proxies(): ReadonlyMap<string, NodeProxy> {
    return this.#parts.proxies;
  }

  /** Aborts when a program of the mesh keeps ending (U3). */
  get failure(): AbortSignal {
    return this.#parts.failure;
  }

  /** Who talks to whom, over all nodes, since the start. */
  async traffic(signal: AbortSignal): Promise<readonly TrafficRow[]> {
    // A proxy that is being started again has nothing to tell, and the others' rows are still true.
    const samples = await Promise.all([...this.#parts.proxies.values()].map((proxy) => proxy.metrics(signal).catch(() => [])));
    signal.throwIfAborted();
    return trafficRows(samples.flat());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** A waypoint is reached through a tunnel though nobody captures it. */
function endsTunnels({ spec }: Sandbox): boolean {
  return spec.labels['networking.istio.io/tunnel'] === 'http';
}
