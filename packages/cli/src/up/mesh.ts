/**
 * A whole mesh for one directory of manifests: lab, control plane, a proxy and a node agent for each node, and the pods.
 *
 *   start: read manifests ▶ lab ▶ control plane ▶ proxies ▶ pods      up ── dispose ──▶ gone
 *
 * U1  a directory with an error starts nothing; an error that comes later changes nothing, and is said.
 * U2  everything hangs on one stack of resources: what was started is ended in the opposite order, however the start ends.
 * U3  a program of the mesh that ends by itself is started again; one that keeps ending is a failure of the whole:
 *     `failure` aborts with its last words.
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Lab } from '@clearmesh/lab/lab';
import { HandoverServer } from '@clearmesh/node-agent/handover/handover-server';
import { runInNamespace } from '@clearmesh/node-agent/redirect/namespace-command';
import { Redirector } from '@clearmesh/node-agent/redirect/redirector';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Problem } from '@clearmesh/control-plane/watch/problem';
import { trafficRows } from '../traffic/traffic.ts';
import type { TrafficRow } from '../traffic/traffic.ts';
import { ControlPlaneProcess } from './control-plane-process.ts';
import { Kubelet } from './kubelet.ts';
import { ManifestFeed } from './manifest-feed.ts';
import { NodeCapture } from './node-capture.ts';
import { NodeProxy } from './node-proxy.ts';
import type { NodeProxyOptions } from './node-proxy.ts';
import { NodeTokens } from './node-tokens.ts';
import { nodeNames } from './placement.ts';
import { probePort } from './probe.ts';
import type { OnOutput } from './output.ts';
import type { Program } from './program.ts';
import { packageMain } from './programs.ts';
import { StatusFile } from './status-file.ts';
import { TokenKey } from './tokens.ts';
import type { NodeAccount } from './tokens.ts';

export type MeshOptions = {
  readonly directory: string;
  /** How many nodes to simulate at least, or their names; those that manifests name are always made. @default 2 */
  readonly nodes?: number | readonly string[];
  /** Work on a copy of the directory, which goes with the mesh. @default false */
  readonly onCopy?: boolean;
  /** The Node that runs the programs of the mesh. */
  readonly execPath: string;
};

export type MeshDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: NodeJS.ProcessEnv;
  /** Progress. */
  readonly say: (line: string) => void;
  /** What goes wrong while the rest goes on. */
  readonly warn: (line: string) => void;
  /** Lines of the programs and pods. @default nobody listens */
  readonly onOutput?: OnOutput;
  /** Told of every reading of the manifests that was refused after the start. */
  readonly onProblems: (problems: readonly Problem[]) => void;
};

const systemNamespace = 'clearmesh-system';
const pollMs = 20;

type Parts = {
  readonly directory: string;
  readonly stateDir: string;
  readonly lab: Lab;
  readonly controlPlane: ControlPlaneProcess;
  readonly proxies: ReadonlyMap<string, NodeProxy>;
  readonly kubelet: Kubelet;
  readonly failure: AbortSignal;
};

export class Mesh implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #resources: AsyncDisposableStack;
  readonly #clock: Clock;

  private constructor(parts: Parts, resources: AsyncDisposableStack, clock: Clock) {
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
   * Resolves when every proxy reaches exactly the captured pods through tunnels. Until a proxy has heard of a capture it
   * still dials that pod in plaintext, which the pod refuses; so nothing is asked of the pods, the proxies themselves tell.
   */
  async known(signal: AbortSignal): Promise<void> {
    for (const proxy of this.proxies.values())
      while (!(await this.#isKnownBy(proxy, signal))) await delay(this.#clock, pollMs, signal);
  }

  async #isKnownBy(proxy: NodeProxy, signal: AbortSignal): Promise<boolean> {
    const pods = await proxy.knownPods(signal).catch(() => undefined);
    signal.throwIfAborted();
    return this.kubelet.sandboxes.every(
      ({ spec, redirection }) => (pods?.get(spec.key) ?? false) === (redirection === 'enabled'),
    );
  }

  /** The directory in use: the one asked for, or its copy. */
  get directory(): string {
    return this.#parts.directory;
  }

  /** Where the control plane keeps its root. */
  get stateDir(): string {
    return this.#parts.stateDir;
  }

  /** The control plane and the proxies. */
  get programs(): readonly Program[] {
    const { controlPlane, proxies } = this.#parts;
    return [controlPlane, ...proxies.values()].map(({ program }) => program);
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

async function startParts(
  options: MeshOptions,
  deps: MeshDeps,
  starting: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Parts> {
  const { say } = deps;
  const onOutput: OnOutput = deps.onOutput ?? (() => {});
  const asked = resolve(options.directory);
  const named = await ManifestFeed.check(asked, signal);
  const { nodes: wanted = 2 } = options;
  const nodes = typeof wanted === 'number' ? nodeNames(named, wanted) : nodeNames([...named, ...wanted], 1);
  const lab = starting.use(await Lab.create({ nodes, onProgress: say, signal }, deps));
  const directory = options.onCopy === true ? join(lab.workDir, 'manifests') : asked;
  if (options.onCopy === true) await cp(asked, directory, { recursive: true });

  const statusFile = new StatusFile({ path: join(lab.workDir, 'status', 'pods.yaml') });
  await mkdir(join(lab.workDir, 'status'), { mode: 0o700 });
  await statusFile.write([]);
  const key = await TokenKey.create();
  const tokenKeys = join(lab.workDir, 'token-keys.json');
  await writeFile(tokenKeys, key.jwks());

  say('starting the control plane');
  const command = packageMain('control-plane', options.execPath);
  const stateDir = join(lab.workDir, 'control-plane');
  await mkdir(stateDir, { mode: 0o700 });
  const flags = { command, directory, statusFile: statusFile.path, stateDir, tokenKeys };
  const controlPlane = starting.use(await ControlPlaneProcess.start(flags, { ...deps, onOutput, lab }, signal));

  const tokens = new Map(nodes.map((node) => [tokenFile(lab, node), accountOf(node, deps.random)]));
  await starting.use(new NodeTokens({ files: tokens }, { ...deps, key })).write();
  say(`starting ${nodes.length === 1 ? 'the proxy' : 'the proxies'} of ${nodes.join(', ')}`);
  const handovers = new Map(
    nodes.map((node) => [node, starting.use(HandoverServer.listen({ path: socketOf(lab, node) }, deps))]),
  );
  const proxies = new Map<string, NodeProxy>();
  for (const node of nodes) {
    const proxy = proxyOptions(lab, node, controlPlane, options.execPath);
    proxies.set(node, starting.use(await NodeProxy.start(proxy, { ...deps, onOutput, lab })));
  }
  const failure = AbortSignal.any([controlPlane, ...proxies.values()].map(({ program }) => program.failure));

  const capture = new NodeCapture({ redirector: new Redirector({ run: runInNamespace }), handovers });
  const kubelet = starting.use(
    new Kubelet({ root: directory }, { ...deps, onOutput, lab, statusFile, capture, probe: probePort }),
  );
  starting.use(await ManifestFeed.open({ directory, nodes, kubelet }, deps, signal));
  return { directory, stateDir, lab, controlPlane, proxies, kubelet, failure };
}

function proxyOptions(lab: Lab, node: string, controlPlane: ControlPlaneProcess, execPath: string): NodeProxyOptions {
  return {
    command: packageMain('ztunnel', execPath),
    node: lab.node(node),
    podName: `ztunnel-${node}`,
    podNamespace: systemNamespace,
    controlPlaneUrl: controlPlane.url,
    rootCertificate: controlPlane.rootCertificate,
    tokenFile: tokenFile(lab, node),
    handoverSocket: socketOf(lab, node),
  };
}

function tokenFile(lab: Lab, node: string): string {
  return join(lab.workDir, `token-${node}`);
}

function socketOf(lab: Lab, node: string): string {
  return join(lab.workDir, `zds-${node}.sock`);
}

function accountOf(node: string, random: Random): NodeAccount {
  return { namespace: systemNamespace, serviceAccount: 'ztunnel', pod: { name: `ztunnel-${node}`, uid: random.hex(16) }, node };
}
