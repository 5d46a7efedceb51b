/** One role of the engine over TLS against a peer made of frames by hand. */
import type { TLSSocket } from 'node:tls';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { clientSettings, serverSettings } from '../../../src/tunnel/engine-settings.ts';
import type { ClientSession, IncomingConnect, ServerSession } from '../../../src/tunnel/engine.ts';
import { bounded } from '../bounded.ts';
import { RawPeer, preface, settings } from '../raw-frames.ts';
import { tlsPair } from '../tls-pair.ts';
import { lingerMs } from './rig.ts';
import type { CreateEngine } from './rig.ts';

export type ServerUnderTest = AsyncDisposable & {
  readonly clock: FakeClock;
  readonly server: ServerSession;
  readonly peer: RawPeer;
  readonly transport: TLSSocket;
  readonly incoming: readonly IncomingConnect[];
  next(): Promise<IncomingConnect>;
};

/** The engine as server; the peer has sent preface and empty SETTINGS unless told otherwise. */
export async function serveForeign(create: CreateEngine, options: { readonly greet?: boolean } = {}): Promise<ServerUnderTest> {
  const clock = new FakeClock();
  const { client, server: transport } = await tlsPair();
  const peer = new RawPeer(client, 'client');
  const incoming: IncomingConnect[] = [];
  const taken = { count: 0 };
  let wake = (): void => {};
  const server = create({ clock }).serve(transport, serverSettings, (connect) => {
    incoming.push(connect);
    wake();
  });
  if (options.greet !== false) peer.send(preface, settings());
  return {
    clock,
    server,
    peer,
    transport,
    incoming,
    next: async () => {
      for (;;) {
        const found = incoming[taken.count];
        if (found !== undefined) {
          taken.count += 1;
          return found;
        }
        await bounded(new Promise<void>((resolve) => (wake = resolve)), 'request');
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.destroy();
      client.destroy();
      clock.advance(lingerMs);
      await bounded(server.closed, 'server closed');
    },
  };
}

export type ClientUnderTest = AsyncDisposable & {
  readonly clock: FakeClock;
  readonly client: ClientSession;
  readonly peer: RawPeer;
  readonly transport: TLSSocket;
};

/** The engine as client; the peer has sent empty SETTINGS unless told otherwise. */
export async function connectForeign(create: CreateEngine, options: { readonly greet?: boolean } = {}): Promise<ClientUnderTest> {
  const clock = new FakeClock();
  const { client: transport, server } = await tlsPair();
  const peer = new RawPeer(server, 'server');
  const client = await create({ clock }).connect(transport, clientSettings);
  if (options.greet !== false) peer.send(settings());
  return {
    clock,
    client,
    peer,
    transport,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.destroy();
      clock.advance(lingerMs);
      await bounded(client.closed, 'client closed');
    },
  };
}
