/** One engine against itself over TLS on loopback, on a clock the test moves. */
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../src/lifecycle/clock.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { clientSettings, serverSettings } from '../../../src/tunnel/engine-settings.ts';
import type {
  ClientSession,
  ConnectRequest,
  EngineSettings,
  IncomingConnect,
  ServerSession,
  TunnelEngine,
} from '../../../src/tunnel/engine.ts';
import { bounded } from '../bounded.ts';
import { tlsPair } from '../tls-pair.ts';

/** Time within which a closing connection must be gone, whatever the peer does, milliseconds. */
export const lingerMs = 2_000;

export type CreateEngine = (deps: { readonly clock: Clock }) => TunnelEngine;

export type Rig = AsyncDisposable & {
  readonly clock: FakeClock;
  readonly client: ClientSession;
  readonly server: ServerSession;
  readonly transports: { readonly client: TLSSocket; readonly server: TLSSocket };
  /** The next request that nobody took yet. */
  next(): Promise<IncomingConnect>;
  /** Opens a stream that the server accepts. */
  stream(): Promise<{ readonly near: Duplex; readonly far: Duplex; readonly incoming: IncomingConnect }>;
};

export const request: ConnectRequest = { authority: '10.0.0.1:80', headers: {} };
export const never: AbortSignal = new AbortController().signal;

export async function openRig(
  create: CreateEngine,
  settings: { readonly client?: Partial<EngineSettings>; readonly server?: Partial<EngineSettings> } = {},
): Promise<Rig> {
  const clock = new FakeClock();
  const engine = create({ clock });
  const transports = await tlsPair();
  const waiting: IncomingConnect[] = [];
  const takers: ((incoming: IncomingConnect) => void)[] = [];
  const server = engine.serve(transports.server, { ...serverSettings, ...settings.server }, (incoming) => {
    const taker = takers.shift();
    if (taker === undefined) waiting.push(incoming);
    else taker(incoming);
  });
  const client = await engine.connect(transports.client, { ...clientSettings, ...settings.client });
  const next = (): Promise<IncomingConnect> => {
    const incoming = waiting.shift();
    return incoming === undefined
      ? bounded(new Promise((resolve) => takers.push(resolve)), 'request')
      : Promise.resolve(incoming);
  };
  return {
    clock,
    client,
    server,
    transports,
    next,
    stream: async () => {
      const opening = client.open(request, never);
      const incoming = await next();
      const far = incoming.accept({});
      const response = await bounded(opening, 'response');
      if (response.kind !== 'open') throw new Error(`not open: ${JSON.stringify(response)}`);
      return { near: response.stream, far, incoming };
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.destroy();
      // What a broken connection cannot say any more is not waited for.
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(lingerMs);
      await bounded(Promise.all([client.closed, server.closed]), 'both sessions closed');
    },
  };
}

/** All that is read until `end`. */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await bounded(new Promise((resolve) => stream.once('end', resolve)), 'end');
  return Buffer.concat(chunks);
}
