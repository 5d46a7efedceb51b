/** The steps' world over a running mesh. */
import type { Wiretap } from '@clearmesh/lab/wiretap/wiretap';
import type { WireReport as TapReport } from '@clearmesh/lab/wiretap/summary';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { LogLines } from '../up/log-lines.ts';
import type { Mesh } from '../up/mesh.ts';
import type { Sandbox } from '../up/pod-sandbox.ts';
import { editManifest } from './manifest-edit.ts';
import type { FieldEdit, ObjectName } from './manifest-edit.ts';
import { bankAddresses, secretBytes } from './world.ts';
import type { Answer, World } from './world.ts';

const podPort = 8080;
const [near, far] = ['node-a', 'node-b'];

export class MeshWorld implements World, AsyncDisposable {
  readonly clock: Clock;
  readonly #mesh: Mesh;
  #tap: Wiretap | undefined;

  constructor(deps: { readonly mesh: Mesh; readonly clock: Clock }) {
    this.#mesh = deps.mesh;
    this.clock = deps.clock;
  }

  pod(key: string): Sandbox {
    const found = this.#mesh.kubelet.sandboxes.find(({ spec }) => spec.key === key);
    if (found === undefined) throw new Error(`pod ${key} does not run`);
    return found;
  }

  async ask(key: string, method: 'GET' | 'POST', path: string, signal: AbortSignal): Promise<Answer> {
    const { namespacePath } = this.pod(key).place;
    const request = { ip: '127.0.0.1', port: podPort, path, method, timeoutMs: 10_000, signal };
    const { status, body } = await this.#mesh.lab.request(namespacePath, request);
    return { status, body: JSON.parse(body) as Answer['body'] };
  }

  edit(object: ObjectName, edits: readonly FieldEdit[]): Promise<string> {
    return editManifest(this.#mesh.directory, object, edits);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tap?.[Symbol.asyncDispose]();
  }
}
