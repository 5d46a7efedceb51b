/** One request of a caller through a tunnel stream of its own, and what the caller can know of it afterwards. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Leaving, RunPlan } from './plan.ts';

export type Answered = {
  readonly kind: 'answer';
  readonly status: number;
  /** `x-mesh-outcome`. */
  readonly outcome: string | undefined;
  /** `x-mesh-denied`: which failure. */
  readonly denied: string | undefined;
  readonly replayed: boolean;
  readonly bodyOmitted: boolean;
  readonly body: string;
};

export type SendEnd =
  | Answered
  /** The connection ended; `status` where a head had come. */
  | { readonly kind: 'broken'; readonly status: number | undefined; readonly detail: string }
  /** The caller itself left. */
  | { readonly kind: 'left'; readonly how: Leaving['kind'] }
  /** There was no tunnel stream: not a byte of the request left the caller. */
  | { readonly kind: 'not-sent' }
  /** Neither answer nor end within the bound. */
  | { readonly kind: 'silent' };

export type Outgoing = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Without an announced length. */
  readonly chunked: boolean;
  readonly leaving: Leaving | undefined;
};

type Response = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Duplex | http.IncomingMessage;
};

/** Everything that can happen to the request, each told once. */
type Events = {
  readonly recvResponse: (response: Response) => void;
  readonly recvBroken: (detail: string) => void;
};

/** Never rejects. @param boundMs after which the silence is the waypoint's fault */
export async function send(
  stream: Duplex,
  protocol: RunPlan['callerProtocol'],
  out: Outgoing,
  boundMs: number,
): Promise<SendEnd> {
  const { promise, resolve } = Promise.withResolvers<SendEnd>();
  const bound = setTimeout(() => resolve({ kind: 'silent' }), boundMs);
  const { leaving } = out;
  let leave: NodeJS.Timeout | undefined;
  const recvLeave = (): void => resolve({ kind: 'left', how: leaving?.kind ?? 'leave' });
  if (leaving?.kind === 'leave') leave = setTimeout(recvLeave, leaving.afterMs);
  // Half of the body first; it is up to the network how much of it the waypoint gets to see.
  if (leaving?.kind === 'leave-mid-body') leave = setTimeout(recvLeave, 15);
  const events: Events = {
    recvBroken: (detail) => resolve({ kind: 'broken', status: undefined, detail }),
    recvResponse: (response) => {
      if (leaving?.kind === 'leave-in-answer') return recvLeave();
      void read(response).then(resolve);
    },
  };
  stream.on('error', (error) => events.recvBroken(error.message));
  if (protocol === 'HTTP/2') sendHttp2(stream, out, events);
  else sendHttp1(stream, out, events);
  const end = await promise;
  clearTimeout(bound);
  clearTimeout(leave);
  stream.destroy();
  return end;
}

function sendHttp1(stream: Duplex, { headers, body, chunked, leaving }: Outgoing, events: Events): void {
  const length = chunked ? {} : { 'content-length': String(body.length) };
  const request = http.request({
    method: 'POST',
    path: '/payments',
    headers: { host: 'ledger', ...headers, ...length },
    createConnection: () => stream,
  });
  request.on('error', (error) => events.recvBroken(error.message));
  request.on('close', () => events.recvBroken('the connection ended without an answer'));
  request.on('response', (answer) => {
    request.removeAllListeners('close');
    events.recvResponse({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
  });
  if (leaving?.kind === 'leave-mid-body') request.write(half(body));
  else if (chunked) {
    request.write(half(body));
    request.end(body.subarray(half(body).length));
  } else request.end(body);
}

function sendHttp2(stream: Duplex, { headers, body, chunked, leaving }: Outgoing, events: Events): void {
  const session = http2.connect('http://ledger', { createConnection: () => stream });
  session.on('error', (error) => events.recvBroken(error.message));
  const length = chunked ? {} : { 'content-length': String(body.length) };
  const request = session.request({ ':method': 'POST', ':path': '/payments', ...headers, ...length });
  let answered = false;
  request.on('error', (error) => {
    if (!answered) events.recvBroken(error.message);
  });
  request.on('close', () => {
    if (!answered) events.recvBroken(`the stream was reset with ${request.rstCode}`);
  });
  request.on('response', (head) => {
    answered = true;
    events.recvResponse({ status: head[':status'] ?? 0, headers: head, body: request });
  });
  if (leaving?.kind === 'leave-mid-body') request.write(half(body));
  else request.end(body);
}

function half(body: Buffer): Buffer {
  return body.subarray(0, Math.ceil(body.length / 2));
}

async function read({ status, headers, body }: Response): Promise<SendEnd> {
  const chunks: Buffer[] = [];
  body.on('data', (chunk: Buffer) => chunks.push(chunk));
  body.on('error', () => {});
  await once(body, 'close').catch(() => {});
  // An HTTP/2 stream that was reset with NO_ERROR or CANCEL ends as if it were complete.
  const whole = body instanceof http.IncomingMessage ? body.complete : body.readableEnded && !isReset(body);
  if (!whole) return { kind: 'broken', status, detail: `the answer ${status} broke off` };
  const text = (name: string): string | undefined => (typeof headers[name] === 'string' ? headers[name] : undefined);
  return {
    kind: 'answer',
    status,
    outcome: text('x-mesh-outcome'),
    denied: text('x-mesh-denied'),
    replayed: text('idempotency-replayed') === 'true',
    bodyOmitted: text('x-mesh-replayed-body') === 'omitted',
    body: String(Buffer.concat(chunks)),
  };
}

function isReset(stream: Duplex & { readonly rstCode?: number }): boolean {
  return stream.rstCode !== undefined && stream.rstCode !== 0;
}
