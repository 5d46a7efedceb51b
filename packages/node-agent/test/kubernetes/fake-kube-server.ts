/** A small Kubernetes API: lists, watches, patches of pods and namespaces; a real HTTP server whose misbehaviour a test picks. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type KubeObject = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
};

type Kind = 'pods' | 'namespaces';
/** One change, as a watch that begins before it is told. */
type Change = { readonly kind: Kind; readonly version: number; readonly type: string; readonly object: KubeObject };
type Watcher = { readonly kind: Kind; readonly selector: string; readonly response: ServerResponse };

export class FakeKubeServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #objects: Readonly<Record<Kind, Map<string, KubeObject>>> = { pods: new Map(), namespaces: new Map() };
  readonly #watchers = new Set<Watcher>();
  readonly #waiting: (() => void)[] = [];
  readonly #history: Change[] = [];
  #version = 1;
  /** `METHOD path` of every request, without queries. */
  readonly requests: string[] = [];
  /** What every request is answered with instead, such as 503. */
  failing: number | undefined;
  /** Requests (`METHOD path`) that get no answer. */
  hangs: (request: string) => boolean = () => false;
  /** Told of every pod that is new or changed. */
  onPod: (pod: KubeObject) => void = () => {};
  /** Whether the agent's DaemonSet is there. */
  daemonSet: 'there' | 'gone' = 'there';

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#recvRequest(request, response));
  }

  /** Listens on a descriptor, such as one in another network namespace, or on a port of its own. */
  static async listen(fd?: number): Promise<FakeKubeServer> {
    const server = createServer();
    server.listen(fd === undefined ? { host: '127.0.0.1', port: 0 } : { fd });
    await once(server, 'listening');
    return new FakeKubeServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig for it. */
  get kubeconfig(): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'fake', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'agent', user: { token: 'secret' } }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'agent' } }],
      'current-context': 'fake',
    });
  }

  put(kind: Kind, object: KubeObject): void {
    const key = keyOf(object);
    const stored = this.#stamped(object);
    const type = this.#objects[kind].has(key) ? 'MODIFIED' : 'ADDED';
    this.#objects[kind].set(key, stored);
    this.#tell(kind, type, stored);
  }

  remove(kind: Kind, key: string): void {
    const known = this.#objects[kind].get(key);
    if (known === undefined) return;
    this.#objects[kind].delete(key);
    this.#tell(kind, 'DELETED', this.#stamped(known));
  }

  pod(key: string): KubeObject | undefined {
    return this.#objects.pods.get(key);
  }

  /** Resolves once `holds`, which is asked again after every request and change. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Ends every watch, with an event before if given. */
  endWatches(event?: unknown): void {
    for (const { response } of this.#watchers) response.end(event === undefined ? undefined : `${JSON.stringify(event)}\n`);
    this.#watchers.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #recvRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    this.requests.push(`${request.method} ${url.pathname}`);
    let body = '';
    for await (const part of request) body += String(part);
    if (!this.hangs(`${request.method} ${url.pathname}`)) this.#answer(request.method ?? 'GET', url, body, response);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #answer(method: string, url: URL, body: string, response: ServerResponse): void {
    if (this.failing !== undefined) return say(response, this.failing, { message: 'told to fail' });
    const [, kind] = /^\/api\/v1\/(pods|namespaces)$/.exec(url.pathname) ?? [];
    if (kind !== undefined) return this.#answerMany(kind as Kind, url, response);
    if (url.pathname.includes('/daemonsets/')) return say(response, this.daemonSet === 'there' ? 200 : 404, { metadata: {} });
    const [, namespace = '', name] =
      /^\/api\/v1\/namespaces\/([^/]+)(?:\/pods\/([^/]+?))?(?:\/status)?$/.exec(url.pathname) ?? [];
    const object = name === undefined ? this.#objects.namespaces.get(namespace) : this.pod(`${namespace}/${name}`);
    if (object === undefined) return say(response, 404, { message: 'not found' });
    if (method === 'PATCH') return this.#patch(object, body, response);
    return say(response, 200, object);
  }

  #answerMany(kind: Kind, url: URL, response: ServerResponse): void {
    const selector = url.searchParams.get('fieldSelector') ?? '';
    if (url.searchParams.get('watch') !== null) {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      const watcher = { kind, selector, response };
      this.#watchers.add(watcher);
      const since = Number(url.searchParams.get('resourceVersion'));
      for (const change of this.#history) if (change.version > since) sayChange(watcher, change);
      response.on('close', () => this.#watchers.delete(watcher));
      return;
    }
    const items = [...this.#objects[kind].values()].filter((object) => isSelected(object, selector));
    say(response, 200, { items, metadata: { resourceVersion: String(this.#version) } });
  }

  #patch(object: KubeObject, body: string, response: ServerResponse): void {
    const { metadata } = JSON.parse(body) as { metadata: { uid: string; annotations: Readonly<Record<string, string | null>> } };
    if (metadata.uid !== object.metadata.uid)
      return say(response, 409, { message: 'the UID in the precondition does not match' });
    const annotations = Object.entries({ ...object.metadata.annotations, ...metadata.annotations });
    const kept = Object.fromEntries(annotations.filter((entry): entry is [string, string] => entry[1] !== null));
    this.put('pods', { ...object, metadata: { ...object.metadata, annotations: kept } });
    say(response, 200, {});
  }

  #stamped(object: KubeObject): KubeObject {
    const resourceVersion = String(++this.#version);
    return { ...object, metadata: { ...object.metadata, resourceVersion } as KubeObject['metadata'] };
  }

  #tell(kind: Kind, type: string, object: KubeObject): void {
    const change = { kind, version: this.#version, type, object };
    this.#history.push(change);
    for (const watcher of this.#watchers) sayChange(watcher, change);
    if (kind === 'pods' && type !== 'DELETED') this.onPod(object);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function keyOf({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

function isSelected({ spec }: KubeObject, selector: string): boolean {
  const [, node] = /^spec\.nodeName=(.*)$/.exec(selector) ?? [];
  return node === undefined || spec?.['nodeName'] === node;
}

function sayChange({ kind, selector, response }: Watcher, { kind: changed, type, object }: Change): void {
  if (kind === changed && isSelected(object, selector)) response.write(`${JSON.stringify({ type, object })}\n`);
}

function say(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
