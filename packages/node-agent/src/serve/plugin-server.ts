/** The unix socket that the CNI plugin calls: small JSON bodies in, a grant or a refusal out. Root alone may dial. */
import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { CniError, cniCodes } from '../plugin/cni-error.ts';
import { callPaths } from '../plugin/pod-call.ts';
import type { PodCall } from '../plugin/pod-call.ts';
import { readPodCall } from './read-pod-call.ts';

export type PluginServerOptions = {
  readonly path: string;
  /** Calls at a time; more wait in the kernel's queue. @default 64 */
  readonly maxCalls?: number;
  /** Time for one call, milliseconds; less than the plugin waits, so that it hears the reason. @default 18 000 */
  readonly callMs?: number;
};

export type PluginServerDeps = {
  readonly service: {
    add(call: PodCall, signal: AbortSignal): Promise<unknown>;
    check(call: PodCall, signal: AbortSignal): Promise<unknown>;
    del(call: PodCall): void;
  };
  /** Told what came of each call. */
  readonly onCall: (command: 'add' | 'check' | 'del', result: 'granted' | 'refused') => void;
  readonly clock: Clock;
  readonly logger: Logger;
};

type Command = 'add' | 'check' | 'del' | 'status';
type Answer = { readonly status: number; readonly body: unknown };

const maxBodyBytes = 64 * 1024;

export class PluginServer implements AsyncDisposable {
  readonly #options: Required<PluginServerOptions>;
  readonly #deps: PluginServerDeps;
  readonly #server: Server;
  readonly #inode: bigint;

  private constructor(options: Required<PluginServerOptions>, deps: PluginServerDeps, server: Server) {
    this.#options = options;
    this.#deps = deps;
    this.#server = server;
    this.#inode = inodeOf(options.path) ?? -1n;
    server.on('request', (request, response) => void this.#recvRequest(request, response));
    server.on('clientError', (_error, socket) => void socket.destroy());
    server.on('error', (error) => deps.logger.error('the plugin’s socket failed', { error: error.message }));
  }

  /** Listens; a socket that an earlier agent left is replaced. The directory must exist. */
  static async listen(options: PluginServerOptions, deps: PluginServerDeps): Promise<PluginServer> {
    const settings = { maxCalls: 64, callMs: 18_000, ...options };
    // Under another name first: at its end node removes the file that it has made, which may be a successor's by then.
    const draft = `${settings.path}.${process.pid}`;
    if (lstatSync(draft, { throwIfNoEntry: false })?.isSocket() === true) rmSync(draft);
    const server = createServer({ keepAlive: false, requestTimeout: 5_000, headersTimeout: 5_000 });
    server.maxConnections = settings.maxCalls;
    // Nobody else can dial between bind and chmod: the file is made without rights for others.
    const mask = process.umask(0o177);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(draft, resolve);
    process.umask(mask);
    await promise.catch((cause: unknown) => {
      throw new MeshError('MESH-CONFIG-003', {
        message: `cannot listen on ${settings.path}: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'The directory must exist and be writable: a hostPath volume of type DirectoryOrCreate.',
        cause,
      });
    });
    server.off('error', reject);
    chmodSync(draft, 0o600);
    renameSync(draft, settings.path);
    return new PluginServer(settings, deps, server);
  }

  /** Calls under way are cut: their pods do not start, and are tried again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
    if (inodeOf(this.#options.path) === this.#inode) rmSync(this.#options.path, { force: true });
  }

  async #recvRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    const gone = new AbortController();
    response.on('close', () => gone.abort(new Error('the plugin has gone')));
    const command = Object.entries(callPaths).find(([, path]) => path === request.url)?.[0] as Command | undefined;
    const { status, body } = await this.#answer(command, request, gone.signal);
    if (response.destroyed) return;
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      connection: 'close',
    });
    response.end(text);
  }

  async #answer(command: Command | undefined, request: IncomingMessage, gone: AbortSignal): Promise<Answer> {
    if (command === undefined || request.method !== 'POST') return { status: 404, body: {} };
    if (command === 'status') return { status: 200, body: {} };
    try {
      const body = await this.#perform(command, readPodCall(await bodyOf(request)), gone);
      this.#deps.onCall(command, 'granted');
      return { status: 200, body: body ?? {} };
    } catch (thrown) {
      const { code, message, details } = thrown instanceof CniError ? thrown : failure(thrown);
      this.#deps.onCall(command, 'refused');
      this.#deps.logger.warn(`refused ${command.toUpperCase()}`, { error: message, hint: details });
      return { status: 503, body: { code, message, details } };
    }
  }

  async #perform(command: 'add' | 'check' | 'del', call: PodCall, gone: AbortSignal): Promise<unknown> {
    const { service, clock } = this.#deps;
    if (command === 'del') return service.del(call);
    const late = new AbortController();
    const cancel = clock.after(this.#options.callMs, () => late.abort(tooLate(this.#options.callMs)));
    try {
      const done = service[command](call, AbortSignal.any([gone, late.signal]));
      // The capture goes on by itself; whoever asked is told in time that it is not done.
      return await Promise.race([done, aborted(late.signal)]);
    } finally {
      cancel();
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

function tooLate(ms: number): CniError {
  return new CniError(
    cniCodes.tryAgainLater,
    `the node agent was not done within ${ms} ms`,
    'See its log for what it waits for; the kubelet tries again by itself.',
  );
}

function failure(thrown: unknown): CniError {
  const error = MeshError.from(thrown, 'MESH-INTERNAL-001');
  return new CniError(cniCodes.ioFailure, error.message, error.hint);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) {
    text += String(part);
    if (text.length > maxBodyBytes)
      throw new CniError(cniCodes.undecodable, `a call is longer than ${maxBodyBytes} bytes`, 'Call by clearmesh-cni only.');
  }
  return text;
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
