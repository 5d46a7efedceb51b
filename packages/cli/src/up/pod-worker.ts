/**
 * One pod's part of kubelet and node agent: asks {@link nextAction} what to do, does it, asks again.
 *
 * W1  one action at a time; a wish that changes ends a wait, never a change of the system half-way.
 * W2  what the status file says is never ahead of the node: `enabled` is published after the proxy's acknowledgement,
 *     and taken back before the proxy lets go.
 * W3  an action that fails is said once for each new reason, and tried again after a back-off.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Lab } from '@clearmesh/lab/lab';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Capture } from './capture.ts';
import { fingerprint } from './desired-pod.ts';
import type { DesiredPod } from './desired-pod.ts';
import { LogLines } from './log-lines.ts';
import { nextAction } from './pod-action.ts';
import type { PodAction } from './pod-action.ts';
import type { OnOutput } from './output.ts';
import { podEnvironment } from './pod-environment.ts';
import { capturedPod, observe, tokenAccount } from './pod-sandbox.ts';
import type { Sandbox } from './pod-sandbox.ts';
import type { TokenFiles } from './token-files.ts';

export type PodWorkerOptions = {
  readonly key: string;
  /** Where relative working directories of containers begin. */
  readonly root: string;
  /** Where every pod gets a directory of its own for temporary files. */
  readonly scratchDir: string;
  /** Environment that every pod gets beside its own. @default none */
  readonly injected?: Readonly<Record<string, string>>;
  /** How long the proxies get to hear of a change before it takes effect, milliseconds. @default 1000 */
  readonly propagationMs?: number;
};

export type PodWorkerDeps = {
  readonly lab: Pick<Lab, 'addPod' | 'removePod' | 'spawn'>;
  readonly capture: Capture;
  readonly tokens: Pick<TokenFiles, 'add' | 'remove'>;
  /** True once the port accepts a connection. */
  readonly probe: (namespacePath: string, ip: string, port: number, signal: AbortSignal) => Promise<boolean>;
  /** Writes what all pods are now; resolves when it is on disk. */
  readonly publish: () => Promise<void>;
  /** Progress. */
  readonly say: (line: string) => void;
  readonly onOutput: OnOutput;
  /** What goes wrong. */
  readonly warn: (line: string) => void;
  readonly clock: Clock;
  readonly random: Random;
};

type State = { readonly kind: 'absent' } | { readonly kind: 'present'; readonly sandbox: Sandbox };

const probeIntervalMs = 50;

/** A pod that rested for so long is no pod that keeps ending. */
const steadyMs = 10_000;

export class PodWorker implements AsyncDisposable {
  readonly #options: PodWorkerOptions;
  readonly #deps: PodWorkerDeps;
  readonly #backoff: Backoff;
  readonly #lifetime = new AbortController();
  #state: State = { kind: 'absent' };
  #desired: DesiredPod | undefined;
  #wish = new AbortController();
  #resting = false;
  #complaint = '';
  #running: Promise<void> | undefined;

  constructor(options: PodWorkerOptions, deps: PodWorkerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: 250, maxMs: 10_000, jitter: 0.1 }, { random: deps.random });
  }

  /** What the node holds for the pod now. */
  get sandbox(): Sandbox | undefined {
    return this.#state.kind === 'present' ? this.#state.sandbox : undefined;
  }

  /** True while there is nothing left to do. */
  get resting(): boolean {
    return this.#resting;
  }

  /** Takes the wish as it is now; `undefined` wants the pod gone. */
  want(desired: DesiredPod | undefined): void {
    this.#desired = desired;
    const { sandbox } = this;
    if (desired !== undefined && sandbox !== undefined && fingerprint(desired) === fingerprint(sandbox.spec))
      this.#set({ spec: desired });
    this.#stir();
    this.#running ??= this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lifetime.abort();
    await this.#running;
  }

  /** Ends the wait of the moment: something changed. */
  #stir(): void {
    this.#resting = false;
    this.#wish.abort();
    this.#wish = new AbortController();
  }

  async #run(): Promise<void> {
    while (!this.#lifetime.signal.aborted) {
      const signal = AbortSignal.any([this.#lifetime.signal, this.#wish.signal]);
      const { sandbox } = this;
      const action = nextAction(this.#desired, sandbox && observe(sandbox));
      if (action === 'rest') await this.#rest(signal);
      else await this.#attempt(action, signal);
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock, publish } = this.#deps;
    const sinceMs = clock.monotonicMs();
    this.#resting = true;
    await publish();
    if (!signal.aborted) await new Promise((wake) => signal.addEventListener('abort', wake, { once: true }));
    if (clock.monotonicMs() - sinceMs >= steadyMs) this.#backoff.reset();
  }

  async #attempt(action: PodAction, signal: AbortSignal): Promise<void> {
    try {
      await this.#perform(action, signal);
      this.#complaint = '';
    } catch (thrown) {
      if (signal.aborted) return;
      const error = MeshError.from(thrown, 'MESH-HOST-001');
      if (error.message !== this.#complaint) this.#deps.warn(`pod ${this.#options.key}: ${action} failed: ${error.explain()}`);
      this.#complaint = error.message;
      await delay(this.#deps.clock, this.#backoff.next(), signal).catch(() => {});
    }
  }

  async #perform(action: PodAction, signal: AbortSignal): Promise<void> {
    const { sandbox } = this;
    if (sandbox === undefined) return action === 'sandbox' ? this.#makeSandbox() : undefined;
    switch (action) {
      case 'enrol':
        return this.#enrol(sandbox, signal);
      case 'release':
        return this.#release(sandbox, signal);
      case 'launch':
        return this.#launch(sandbox);
      case 'relaunch':
        await delay(this.#deps.clock, this.#backoff.next(), signal);
        return this.#launch(sandbox);
      case 'observe':
        return this.#observe(sandbox, signal);
      case 'retire':
        return this.#retire(signal);
      case 'terminate':
        return this.#terminate(sandbox);
      case 'remove':
        return this.#remove(sandbox);
      case 'sandbox':
      case 'rest':
        return undefined;
      default:
        return unreachable(action);
    }
  }

  #set(changes: Partial<Sandbox>): void {
    if (this.#state.kind === 'present') this.#state = { kind: 'present', sandbox: { ...this.#state.sandbox, ...changes } };
  }

  async #makeSandbox(): Promise<void> {
    const spec = this.#desired;
    if (spec === undefined) return;
    const uid = [4, 2, 2, 2, 6].map((bytes) => this.#deps.random.hex(bytes)).join('-');
    const scratch = join(this.#options.scratchDir, uid);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const place = await this.#deps.lab.addPod({ node: spec.nodeName, namespace: spec.namespace, name: spec.name });
    const nothingYet = { process: { kind: 'none' }, redirection: 'none', ready: false, retired: false } as const;
    this.#state = { kind: 'present', sandbox: { uid, spec, place, scratch, log: new LogLines(), ...nothingYet } };
    await this.#deps.publish();
  }

  async #enrol(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
    await this.#deps.capture.capture(capturedPod(sandbox), signal);
    this.#set({ redirection: 'enabled' });
    await this.#deps.publish();
    this.#deps.say(`pod ${this.#options.key}: in the mesh, captured on ${sandbox.spec.nodeName}`);
  }

  async #release(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
    this.#set({ redirection: 'pending' });
    await this.#deps.publish();
    // Nobody talks to a pod without a process: only a living one needs its peers to hear first.
    if (sandbox.process.kind === 'running' && sandbox.redirection === 'enabled') await this.#propagate(signal);
    await this.#deps.capture.release(capturedPod(sandbox), this.#lifetime.signal);
    this.#set({ redirection: 'none' });
    await this.#deps.publish();
    if (sandbox.process.kind === 'running') this.#deps.say(`pod ${this.#options.key}: out of the mesh`);
  }

  async #launch(sandbox: Sandbox): Promise<void> {
    const { spec, uid, place, scratch, log } = sandbox;
    const cwd = resolve(this.#options.root, spec.container.workingDir);
    await requireDirectory(cwd);
    if (spec.tokenFile !== undefined) await this.#deps.tokens.add(spec.tokenFile, tokenAccount(sandbox));
    const child = await this.#deps.lab.spawn({
      name: spec.key,
      namespacePath: place.namespacePath,
      command: spec.container.command,
      cwd,
      env: podEnvironment(spec, { uid, ip: place.ip, scratch }, this.#options.injected),
      onLine: (stream, line) => {
        log.recvLine(line);
        this.#deps.onOutput(spec.key, stream, line);
      },
    });
    this.#set({ process: { kind: 'running', child } });
    void child.exited.then(({ code, signal }) => this.#recvExit(child, code ?? signal));
  }

  #recvExit(child: object, status: number | string | null): void {
    const process = this.sandbox?.process;
    if (process?.kind !== 'running' || process.child !== child || this.#lifetime.signal.aborted) return;
    if (this.sandbox?.retired === false) {
      const last = process.child.tail().at(-1);
      this.#deps.warn(`pod ${this.#options.key}: ended by itself (${status})${last === undefined ? '' : `: ${last}`}`);
    }
    this.#set({ process: { kind: 'exited' }, ready: false });
    this.#stir();
  }

  async #observe({ spec, place }: Sandbox, signal: AbortSignal): Promise<void> {
    const { port } = spec.container;
    if (port !== undefined) {
      while (!(await this.#deps.probe(place.namespacePath, place.ip, port, signal))) {
        await delay(this.#deps.clock, probeIntervalMs, signal);
      }
    }
    signal.throwIfAborted();
    this.#set({ ready: true, retired: false });
    await this.#deps.publish();
    this.#deps.say(`pod ${this.#options.key}: ready on ${spec.nodeName} (${place.ip})`);
  }

  async #retire(signal: AbortSignal): Promise<void> {
    this.#set({ ready: false });
    await this.#deps.publish();
    await this.#propagate(signal);
    this.#set({ retired: true });
  }

  async #terminate({ process, spec }: Sandbox): Promise<void> {
    if (process.kind === 'running') {
      // The whole mesh ends: no grace any more.
      const kill = (): void => process.child.kill();
      this.#lifetime.signal.addEventListener('abort', kill, { once: true });
      await process.child.stop(spec.graceSeconds * 1000);
      this.#lifetime.signal.removeEventListener('abort', kill);
    }
    this.#set({ process: { kind: 'exited' } });
  }

  async #remove({ spec, scratch }: Sandbox): Promise<void> {
    await this.#deps.lab.removePod(spec);
    if (spec.tokenFile !== undefined) await this.#deps.tokens.remove(spec.tokenFile);
    await rm(scratch, { recursive: true, force: true });
    this.#state = { kind: 'absent' };
    await this.#deps.publish();
    this.#deps.say(`pod ${this.#options.key}: stopped`);
  }

  async #propagate(signal: AbortSignal): Promise<void> {
    await delay(this.#deps.clock, this.#options.propagationMs ?? 1000, signal);
  }
}

/** Without it the error of a missing directory would name the program that was to be started there. */
async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new MeshError('MESH-CONFIG-003', {
    message: `workingDir: ${path} is not a directory`,
    hint: 'Write a directory relative to that of the manifests, or leave it out.',
  });
}
