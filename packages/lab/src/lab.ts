/**
 * Simulated nodes on one machine: a network namespace per node, per pod and for the control plane, links between them,
 * and processes that end with us.
 *
 *   create: lock ▶ clean stale labs ▶ record ▶ network      open ── dispose ──▶ closed
 *
 * L1  the record is written before the first namespace, and removed after the last: a crash at any point leaves
 *     nothing that the next start does not find.
 * L2  a lab that cannot be made whole is unmade before `create` rejects.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { RecordKeeper } from './cleanup/record-keeper.ts';
import { claimRecord, ownWorkDir } from './cleanup/run-record.ts';
import { cleanLab, cleanWhileLocked } from './cleanup/stale-labs.ts';
import { withStartLock } from './cleanup/start-lock.ts';
import { mayMakeNamespaces } from './host/capabilities.ts';
import { createRunTool } from './host/run-tool.ts';
import type { RunTool } from './host/run-tool.ts';
import type { LabApi, LabControl, LabDeps, LabNode, LabOptions } from './lab-api.ts';
import { checkHost, missingToolsError } from './host/tools.ts';
import { stampOf } from './process/proc-stat.ts';
import type { SpawnOptions, SupervisedProcess } from './process/supervised-process.ts';
import { Supervisor } from './process/supervisor.ts';
import { requestFrom } from './request/namespaced-request.ts';
import type { NamespacedRequest, NamespacedResponse } from './request/namespaced-request.ts';
import { namespacePath } from './topology/names.ts';
import { LabNetwork } from './topology/network.ts';
import type { LabPod, PodSpec } from './topology/network.ts';
import { linkDevice, planLab } from './topology/plan.ts';
import type { LabPlan, NodePlan } from './topology/plan.ts';
import type { LabService } from './topology/service-rules.ts';
import { Wiretap } from './wiretap/wiretap.ts';

export type { LabApi, LabControl, LabDeps, LabNode, LabOptions } from './lab-api.ts';
export type { LabPod, PodSpec } from './topology/network.ts';

type Parts = {
  readonly plan: LabPlan;
  readonly keeper: RecordKeeper;
  readonly run: RunTool;
  readonly network: LabNetwork;
  readonly supervisor: Supervisor;
};

const startPatienceMs = 60_000;
const stopGraceMs = 5000;

/** See {@link LabApi} for what it offers. */
export class Lab implements LabApi {
  readonly #parts: Parts;
  readonly #deps: LabDeps;
  #state: { readonly kind: 'open' } | { readonly kind: 'closed'; readonly done: Promise<void> } = { kind: 'open' };
  #wiretaps = 0;

  private constructor(parts: Parts, deps: LabDeps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  /** Cleans what dead labs left, then makes nodes, control namespace and links; MESH-HOST-001 when the machine lacks something. */
  static async create(options: LabOptions, deps: LabDeps): Promise<Lab> {
    await requireHost();
    const id = options.id ?? deps.random.hex(4);
    const plan = planLab({ id, nodes: options.nodes });
    const workDir = options.workDir ?? ownWorkDir(id);
    const signal = AbortSignal.any([
      AbortSignal.timeout(startPatienceMs),
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const keeper = await withStartLock({ signal }, deps, async () => {
      const cleaned = await cleanWhileLocked(deps);
      for (const stale of cleaned.labs) options.onProgress?.(`removed what lab ${stale} left behind`);
      return claim(plan, workDir);
    });
    const lab = new Lab(assemble(plan, keeper, deps), deps);
    try {
      await lab.#build(options, signal);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  get id(): string {
    return this.#parts.plan.id;
  }

  get workDir(): string {
    return this.#parts.keeper.record.workDir;
  }

  get nodes(): readonly LabNode[] {
    return this.#parts.plan.nodes.map(publicNode);
  }

  get control(): LabControl {
    const { namespace, ip } = this.#parts.plan.control;
    return { namespacePath: namespacePath(namespace), ip };
  }

  get pods(): readonly LabPod[] {
    return this.#parts.network.pods;
  }

  node(name: string): LabNode {
    return publicNode(this.#parts.network.nodePlan(name));
  }

  async addPod(spec: PodSpec): Promise<LabPod> {
    this.#requireOpen();
    const pod = await this.#parts.network.addPod(spec);
    await this.#recordNamespaces();
    return pod;
  }

  async removePod(pod: { readonly namespace: string; readonly name: string }): Promise<void> {
    this.#requireOpen();
    const known = this.pods.find(({ namespace, name }) => namespace === pod.namespace && name === pod.name);
    if (known !== undefined) await this.#parts.supervisor.stopIn(known.namespacePath, stopGraceMs);
    await this.#parts.network.removePod(pod);
    await this.#recordNamespaces();
  }

  async setServices(services: readonly LabService[]): Promise<void> {
    this.#requireOpen();
    await this.#parts.network.setServices(services);
  }

  async spawn(options: SpawnOptions): Promise<SupervisedProcess> {
    this.#requireOpen();
    return this.#parts.supervisor.spawn({ cwd: this.workDir, ...options });
  }

  request(path: string, request: NamespacedRequest): Promise<NamespacedResponse> {
    return requestFrom(path, request);
  }

  async wiretap(from: string, to: string): Promise<Wiretap> {
    this.#requireOpen();
    const [near, far] = [this.#parts.network.nodePlan(from), this.#parts.network.nodePlan(to)];
    if (near === far)
      throw new MeshError('MESH-CONFIG-003', { message: `there is no link from ${from} to itself`, hint: 'Name two nodes.' });
    this.#wiretaps += 1;
    const file = join(this.workDir, `${near.name}-${far.name}-${this.#wiretaps}.pcap`);
    const end = { namespace: near.namespace, device: linkDevice(far) };
    const { clock, random } = this.#deps;
    return Wiretap.start(
      { end, peerIp: far.ip, file },
      { spawn: (options) => this.spawn(options), run: this.#parts.run, clock, random },
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#state.kind === 'open') this.#state = { kind: 'closed', done: this.#close() };
    return this.#state.done;
  }

  async #build(options: LabOptions, signal: AbortSignal): Promise<void> {
    const names = options.nodes.join(', ');
    options.onProgress?.(`making ${options.nodes.length === 1 ? 'node' : 'nodes'} ${names} (lab ${this.id})`);
    await mkdir(this.workDir, { recursive: true, mode: 0o700 });
    await this.#parts.network.build(signal);
  }

  async #close(): Promise<void> {
    const { keeper, run, supervisor } = this.#parts;
    await supervisor.stopAll(stopGraceMs);
    await keeper.close();
    await cleanLab(keeper.record, { clock: this.#deps.clock, run });
  }

  #recordNamespaces(): Promise<void> {
    return this.#parts.keeper.update({ namespaces: this.#parts.network.namespaces });
  }

  #requireOpen(): void {
    if (this.#state.kind === 'open') return;
    throw new MeshError('MESH-LAB-001', { message: `lab ${this.id} is closed`, hint: 'Make a new one.' });
  }
}

function assemble(plan: LabPlan, keeper: RecordKeeper, deps: LabDeps): Parts {
  const env = deps.env ?? process.env;
  const run = createRunTool(env);
  const supervisor = new Supervisor({ clock: deps.clock, env, onChange: (processes) => keeper.update({ processes }) });
  return { plan, keeper, run, supervisor, network: new LabNetwork(plan, { run }) };
}

/** L1: from here on a crash can be cleaned up. */
async function claim(plan: LabPlan, workDir: string): Promise<RecordKeeper> {
  const owner = stampOf(process.pid);
  if (owner === undefined)
    throw new MeshError('MESH-HOST-001', { message: '/proc is not mounted', hint: 'mount -t proc proc /proc' });
  const namespaces = [plan.control, ...plan.nodes].map(({ namespace }) => namespace);
  const record = { version: 1, id: plan.id, owner, namespaces, processes: [], workDir } as const;
  await claimRecord(record);
  return new RecordKeeper(record);
}

async function requireHost(): Promise<void> {
  const missing = await checkHost({ needs: ['lab'] });
  if (missing.length > 0) throw missingToolsError(missing);
  if (mayMakeNamespaces(await readFile('/proc/self/status', 'utf8'))) return;
  throw new MeshError('MESH-HOST-001', {
    message: 'this process may not make network namespaces',
    hint: 'Run it with sudo, or let it run in a user namespace (reexecInUserNamespace).',
  });
}

function publicNode({ name, namespace, ip, podCidr }: NodePlan): LabNode {
  return { name, namespacePath: namespacePath(namespace), ip, podCidr };
}
