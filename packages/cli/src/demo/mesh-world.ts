/** The steps' world over a running mesh. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StatusReport } from '@clearmesh/control-plane/report/status-report';
import type { Wiretap } from '@clearmesh/lab/wiretap/wiretap';
import type { WireReport as TapReport } from '@clearmesh/lab/wiretap/summary';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { ReceivedSpan } from '../trace-receiver/span.ts';
import type { LogLines } from '../up/log-lines.ts';
import type { Mesh } from '../up/mesh.ts';
import type { Sandbox } from '../up/pod-sandbox.ts';
import { editManifest } from './manifest-edit.ts';
import type { FieldEdit, ObjectName } from './manifest-edit.ts';
import { bankAddresses, secretBytes } from './world.ts';
import type { Answer, Question, World } from './world.ts';

const podPort = 8080;
const adminPort = 15_000;
const [near, far] = ['node-a', 'node-b'];

export class MeshWorld implements World, AsyncDisposable {
  readonly clock: Clock;
  readonly #mesh: Mesh;
  readonly #random: Pick<Random, 'hex'>;
  #tap: Wiretap | undefined;

  constructor(deps: { readonly mesh: Mesh; readonly clock: Clock; readonly random: Pick<Random, 'hex'> }) {
    this.#mesh = deps.mesh;
    this.#random = deps.random;
    this.clock = deps.clock;
  }

  pod(key: string): Sandbox {
    const found = this.#mesh.kubelet.sandboxes.find(({ spec }) => spec.key === key);
    if (found === undefined) throw new Error(`pod ${key} does not run`);
    return found;
  }

  async ask(key: string, method: 'GET' | 'POST', path: string, signal: AbortSignal, question: Question = {}): Promise<Answer> {
    const { namespacePath } = this.pod(key).place;
    const { body: json, record = false } = question;
    const headers = { 'content-type': 'application/json', traceparent: this.#traceparent(record) };
    const content = json === undefined ? { headers } : { headers, body: JSON.stringify(json) };
    const request = { ip: '127.0.0.1', port: podPort, path, method, timeoutMs: 10_000, signal, ...content };
    const { status, body } = await this.#mesh.lab.request(namespacePath, request);
    return { status, body: JSON.parse(body) as Answer['body'] };
  }

  edit(object: ObjectName, edits: readonly FieldEdit[]): Promise<string> {
    return editManifest(this.#mesh.directory, object, edits);
  }

  /** Of a new trace (W3C Trace Context section 3.2). */
  #traceparent(record: boolean): string {
    return `00-${this.#random.hex(16)}-${this.#random.hex(8)}-${record ? '01' : '00'}`;
  }

  async write(file: string, text: string | undefined): Promise<void> {
    const path = join(this.#mesh.directory, file);
    if (text === undefined) return rm(path, { force: true });
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.next`, text);
    await rename(`${path}.next`, path);
  }

  read(file: string): Promise<string> {
    return readFile(join(this.#mesh.directory, file), 'utf8');
  }

  until(condition: (sandboxes: readonly Sandbox[]) => boolean, signal: AbortSignal): Promise<void> {
    return this.#mesh.kubelet.until(condition, signal);
  }

  tap(): Promise<Wiretap> {
    return this.#mesh.lab.wiretap(near, far);
  }

  async listen(): Promise<void> {
    this.#tap ??= await this.tap();
  }

  async heard(): Promise<TapReport> {
    if (this.#tap === undefined) throw new Error('nobody listens on the link yet');
    return this.#tap.report({ pods: bankAddresses(this), secrets: secretBytes() });
  }

  known(signal: AbortSignal): Promise<void> {
    return this.#mesh.known(signal);
  }

  proxyLog(node: string): LogLines {
    const proxy = this.#mesh.proxies.get(node);
    if (proxy === undefined) throw new MeshError('MESH-INTERNAL-001', { message: `no proxy on node ${node}` });
    return proxy.log;
  }

  podLog(key: string): LogLines {
    return this.pod(key).log;
  }

  async admin(waypoint: string, path: string, signal: AbortSignal): Promise<unknown> {
    const request = { ip: '127.0.0.1', port: adminPort, path, timeoutMs: 2000, signal };
    return JSON.parse((await this.#mesh.lab.request(this.pod(waypoint).place.namespacePath, request)).body);
  }

  async status(): Promise<StatusReport> {
    return JSON.parse(await readFile(this.#mesh.statusOut, 'utf8')) as StatusReport;
  }

  trace(traceId: string, signal: AbortSignal): Promise<readonly ReceivedSpan[]> {
    return this.#mesh.traces?.trace(traceId, signal) ?? Promise.resolve([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tap?.[Symbol.asyncDispose]();
  }
}
