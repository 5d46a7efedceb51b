/** HTTP from inside a network namespace, without a process there: for the admin and metrics ports of a lab's programs. */
import http from 'node:http';
import type net from 'node:net';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type NamespacedRequest = {
  readonly ip: string;
  readonly port: number;
  /** With its leading slash. */
  readonly path: string;
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** @default none */
  readonly body?: string;
  /** Milliseconds for the whole exchange. @default 5000 */
  readonly timeoutMs?: number;
  /** Bytes of body accepted; more is an error. @default 8388608 */
  readonly maxBodyBytes?: number;
  readonly signal?: AbortSignal;
};

export type NamespacedResponse = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
};

/** One request on a connection of its own; MESH-LAB-001 when no whole answer comes in time. */
export async function requestFrom(namespacePath: string, request: NamespacedRequest): Promise<NamespacedResponse> {
  const deadline = AbortSignal.timeout(request.timeoutMs ?? 5000);
  const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
  try {
    using namespace = NetworkNamespace.open(namespacePath);
    const socket = await connectTcp({ namespace, target: request, allowHalfOpen: false }, signal);
    return await exchange(socket, request, signal);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError('MESH-LAB-001', {
      message: `${request.method ?? 'GET'} http://${request.ip}:${request.port}${request.path} from ${namespacePath}: ${reason}`,
      cause,
    });
  }
}

function exchange(socket: net.Socket, request: NamespacedRequest, signal: AbortSignal): Promise<NamespacedResponse> {
  return new Promise((resolve, reject) => {
    const { path, method = 'GET', headers = {} } = request;
    const host = `${request.ip}:${request.port}`;
    const outgoing = http.request(
      { createConnection: () => socket, path, method, headers: { host, connection: 'close', ...headers }, signal },
      (response) => {
        readBody(response, request.maxBodyBytes ?? 8 * 1024 * 1024).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        );
      },
    );
    outgoing.once('error', reject).once('close', () => socket.destroy());
    outgoing.end(request.body);
  });
}

async function readBody(response: http.IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error(`the body is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
