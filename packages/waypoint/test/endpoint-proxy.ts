/** Stands for the node proxy of an endpoint: takes HBONE for one workload, and carries it to the application on loopback. */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { CertificateSource } from '@clearmesh/shared/certificates/workload-certificate';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { relay } from '@clearmesh/shared/net/relay';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { ip } from '@clearmesh/shared/testing/builders';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { ConnectHeaders, IncomingConnect, TunnelEngine } from '@clearmesh/shared/tunnel/engine';
import { listen } from '../src/accept/hbone-front.ts';
import { dialTcp } from '../src/forward/tcp-dial.ts';

/** What an endpoint's proxy was asked. */
export type Asked = { readonly peer: SpiffeId; readonly authority: string; readonly headers: ConnectHeaders };

export type EndpointProxyOptions = {
  /** Whom it proves to be. */
  readonly identity: SpiffeId;
  readonly address: string;
  /** Of the application. */
  readonly port: number;
  readonly onAsked: (asked: Asked) => void;
};

export async function openEndpointProxy(
  { identity, address, port, onAsked }: EndpointProxyOptions,
  deps: { readonly engine: TunnelEngine; readonly certificates: CertificateSource },
): Promise<AsyncDisposable> {
  const deliver = async (incoming: IncomingConnect, peer: SpiffeId): Promise<void> => {
    onAsked({ peer, authority: incoming.authority, headers: incoming.headers });
    const app = await dialTcp({ ip: ip(address), port }, AbortSignal.timeout(2_000)).catch(() => undefined);
    if (app === undefined) return incoming.refuse(503);
    await relay(incoming.accept({}), app, { clock: systemClock }, new AbortController().signal);
  };
  const acceptor = new TunnelAcceptor(
    { identity, trustDomain: 'cluster.local' },
    {
      ...deps,
      drain: new Drain({ clock: systemClock }),
      onConnect: (incoming, peer) => void deliver(incoming, peer.identity),
      onFailure: () => {},
      clock: systemClock,
      logger: silentLogger,
    },
  );
  const server = await listen({ port: 15_008, host: address }, (socket) => acceptor.accept(socket));
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      await acceptor[Symbol.asyncDispose]();
    },
  };
}
