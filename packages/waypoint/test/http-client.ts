/** Asks over a port as any HTTP/1.1 client would, with all that an answer has. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: string;
};

export type Ask = Omit<http.RequestOptions, 'headers'> & {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer | Readable;
};

/** On a connection of its own, unless an agent is given. */
export async function ask(port: number, { body, ...options }: Ask = {}): Promise<Reply> {
  const request = http.request({ host: '127.0.0.1', port, agent: false, ...options });
  if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) body.pipe(request);
  else request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const whole = await text(response);
  return { status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body: whole };
}

/** With prior knowledge, on a session of its own. */
export async function ask2(port: number, headers: http2.OutgoingHttpHeaders = {}, body?: string | Buffer): Promise<Reply> {
  const session = http2.connect(`http://127.0.0.1:${port}`, { strictSingleValueFields: false } as http2.ClientSessionOptions);
  try {
    const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on('trailers', (found) => (trailers = found));
    if (body !== undefined) stream.end(body);
    const closed = new Promise<never>((_resolve, reject) =>
      stream.once('close', () => setImmediate(reject, new Error('no answer'))),
    );
    const [found] = (await Promise.race([once(stream, 'response'), closed])) as [http2.IncomingHttpHeaders];
    closed.catch(() => {});
    const whole = await text(stream);
    return { status: Number(found[':status']), headers: found, trailers, body: whole };
  } finally {
    session.destroy();
  }
}

/** Sends bytes, and gives what comes back until the peer ends or `enough` is seen. */
export async function say(port: number, bytes: string, enough?: RegExp): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  let heard = '';
  for await (const chunk of socket) {
    heard += (chunk as Buffer).toString('latin1');
    if (enough?.test(heard) === true) break;
  }
  socket.destroy();
  return heard;
}
