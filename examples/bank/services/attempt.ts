/** One question over plain TCP or HTTP, with the answer or the error as a value: a refusal is news here, not an exception. */
import http from 'node:http';
import net from 'node:net';

export type Attempt =
  | { readonly answered: true; readonly answer: string; readonly afterMs: number }
  | { readonly answered: false; readonly error: string; readonly afterMs: number };

const deadlineMs = 5000;

/** Sends `question` to `ip:port` and waits for the first bytes back. */
export function askTcp(address: string, question: string): Promise<Attempt> {
  const started = performance.now();
  const [host = '', port = ''] = address.split(':');
  const socket = net.connect({ host, port: Number(port), timeout: deadlineMs });
  return new Promise((resolve) => {
    const end = (result: { answered: true; answer: string } | { answered: false; error: string }): void => {
      socket.destroy();
      resolve({ ...result, afterMs: Math.round(performance.now() - started) });
    };
    socket.on('connect', () => socket.write(question));
    socket.on('data', (bytes) => end({ answered: true, answer: bytes.toString('utf8').trim() }));
    socket.on('timeout', () => end({ answered: false, error: `no answer within ${deadlineMs} ms` }));
    socket.on('end', () => end({ answered: false, error: 'connection closed without an answer' }));
    socket.on('error', (error: NodeJS.ErrnoException) => end({ answered: false, error: error.code ?? error.message }));
  });
}

export type HttpAttempt = Attempt & {
  readonly status?: number;
  /** Of the answer: what the mesh says of it, and what kind of document it holds. */
  readonly headers?: Readonly<Record<string, string>>;
};

export type HttpQuestion = {
  /** @default GET, or POST with a body */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** One HTTP call on a connection of its own. */
export function askHttp(
  url: string,
  { body, method = body === undefined ? 'GET' : 'POST', headers = {} }: HttpQuestion = {},
): Promise<HttpAttempt> {
  const started = performance.now();
  const after = (): number => Math.round(performance.now() - started);
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({ answered: false, error: error.code ?? error.message, afterMs: after() });
    const request = http.request(url, { agent: false, timeout: deadlineMs, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () =>
        resolve({
          answered: true,
          answer: Buffer.concat(chunks).toString('utf8'),
          status: response.statusCode ?? 0,
          headers: told(response.headers),
          afterMs: after(),
        }),
      );
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${deadlineMs} ms`)));
    request.on('error', fail);
    request.end(body);
  });
}

const toldNames: ReadonlySet<string> = new Set(['content-type', 'idempotency-replayed', 'retry-after']);

function told(headers: http.IncomingHttpHeaders): Readonly<Record<string, string>> {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-mesh-') || toldNames.has(name));
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}
