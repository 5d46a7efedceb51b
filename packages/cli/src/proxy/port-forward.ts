/** One HTTP request to a port of a pod, by the API server: no port of this machine is opened. */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Duplex, PassThrough, Writable } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type PodPort = { readonly namespace: string; readonly pod: string; readonly port: number };

export type GetOptions = {
  /** Bytes of the answer. @default 256 MiB */
  readonly maxBytes?: number;
};

/** The body of a GET; MESH-KUBE-001 when there is no answer, or another than 200. */
export async function getFromPod(
  kubeConfig: KubeConfig,
  at: PodPort,
  path: string,
  signal: AbortSignal,
  { maxBytes = 256 * 1024 * 1024 }: GetOptions = {},
): Promise<string> {
  try {
    const { promise: ended, reject: end } = Promise.withResolvers<never>();
    ended.catch(() => {});
    const recvAbort = (): void => end(signal.reason);
    signal.addEventListener('abort', recvAbort, { once: true });
    using _abort = { [Symbol.dispose]: () => signal.removeEventListener('abort', recvAbort) };
    await using tunnel = await Promise.race([Tunnel.open(kubeConfig, at, end), ended]);
    return await Promise.race([get(tunnel.stream, path, maxBytes), ended]);
  } catch (error) {
    signal.throwIfAborted();
    throw new MeshError('MESH-KUBE-001', {
      message: `port ${at.port} of pod ${at.namespace}/${at.pod} cannot be asked: ${textOf(error)}`,
      hint: 'See that the pod is ready, and that you may create pods/portforward there. A dump can be read from a file too: -f FILE.',
      cause: error,
    });
  }
}

/** A stream to the port, over a web socket. */
class Tunnel implements AsyncDisposable {
  readonly stream: Duplex;
  readonly #close: () => void;

  private constructor(stream: Duplex, close: () => void) {
    this.stream = stream;
    this.#close = close;
  }

  /** @param fail hears why the port gives no answer */
  static async open(kubeConfig: KubeConfig, { namespace, pod, port }: PodPort, fail: (error: Error) => void): Promise<Tunnel> {
    const { PortForward } = await import('@kubernetes/client-node');
    const toPod = new PassThrough();
    const stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => void toPod.write(chunk, done),
    });
    const fromPod = taking((chunk) => void stream.push(chunk));
    const failures = taking((chunk) => fail(new Error(chunk.toString('utf8').trim())));
    const socket = await new PortForward(kubeConfig).portForward(namespace, pod, [port], fromPod, failures, toPod);
    if (typeof socket === 'function') throw new Error('the connection was made anew, which is not asked for');
    socket.addEventListener('close', () => void stream.push(null));
    return new Tunnel(stream, () => socket.terminate());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.destroy();
    this.#close();
  }
}

function taking(take: (chunk: Buffer) => void): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      // Each channel begins with the number of the port, of which nothing is left here.
      if (chunk.length > 0) take(chunk);
      done();
    },
  });
}

async function get(stream: Duplex, path: string, maxBytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = { host: 'localhost', connection: 'close' };
  const asked = request({ path, headers, createConnection: () => stream });
  asked.once('response', resolve);
  asked.on('error', reject);
  asked.end();
  const response = await promise;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (response.statusCode === 200) return text;
  throw new Error(`it answers ${path} with ${response.statusCode ?? 0} ${text.slice(0, 200)}`);
}

/** A web socket that cannot be opened throws an event, whose message tells the status. */
function textOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return String(message);
}
