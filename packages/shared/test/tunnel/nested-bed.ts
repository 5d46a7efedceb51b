/** A caller, the gateway of another network and a far end behind it: each with a certificate of its own, over loopback. */
import net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { systemClock } from '../../src/lifecycle/clock.ts';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { identity } from '../../src/testing/builders.ts';
import type { CertificateSource } from '../../src/certificates/workload-certificate.ts';
import type { DialOutcome, NestedTarget } from '../../src/tunnel/dialer.ts';
import type { IncomingConnect, TunnelEngine } from '../../src/tunnel/engine.ts';
import { NestedDialer } from '../../src/tunnel/nested-dialer.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { bounded } from './bounded.ts';
import { authorities, certificateOf, client, never, openBed, server } from './tunnel-bed.ts';
import type { Bed, BedOptions } from './tunnel-bed.ts';

export const gateway: SpiffeId = identity('networks', 'gateway');
export const authority = 'ledger.bank.svc.cluster.local:80';

export type NestedBed = AsyncDisposable & {
  readonly gateway: Bed;
  readonly far: Bed;
  dial(over?: Partial<NestedTarget>, signal?: AbortSignal): Promise<DialOutcome>;
};

export type NestedBedOptions = {
  /** The caller's, of both tunnels. */
  readonly engine?: TunnelEngine;
  readonly far?: BedOptions;
  readonly gateway?: BedOptions;
  /** The caller's within the gateway's tunnel. @default as to the gateway */
  readonly innerCertificates?: CertificateSource;
};

export async function openNestedBed(options: NestedBedOptions = {}): Promise<NestedBed> {
  const engine = options.engine ?? new NodeHttp2Engine({ clock: systemClock });
  const far = await openBed(options.far ?? {});
  const served = await certificateOf(await authorities(), gateway, { uris: [gateway] });
  const own = await certificateOf(await authorities(), client, { uris: [client] });
  const outer = await openBed({
    engine,
    acceptor: { identity: gateway },
    certificates: { get: () => Promise.resolve(served) },
    onConnect: (incoming) => void forward(incoming, far.port),
    ...options.gateway,
  });
  const nested = new NestedDialer(
    { connectMs: 2_000 },
    {
      outer: outer.dialer,
      engine,
      certificates: options.innerCertificates ?? { get: () => Promise.resolve(own) },
      clock: systemClock,
    },
  );
  return {
    gateway: outer,
    far,
    dial: (over, signal = never) => {
      const target = { outer: outer.target({ acceptedPeers: [gateway] }), innerPeers: [server], ownNetwork: 'east', ...over };
      return bounded(nested.dial(target, { authority, headers: { baggage: 'a=b' } }, signal), 'dial');
    },
    [Symbol.asyncDispose]: async () => {
      await outer[Symbol.asyncDispose]();
      await far[Symbol.asyncDispose]();
    },
  };
}

/** What a gateway does: bytes on, unseen. */
async function forward(incoming: IncomingConnect, port: number): Promise<void> {
  const onward = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  onward.on('error', () => {});
  const stream = incoming.accept({});
  await Promise.allSettled([pipeline(stream, onward), pipeline(onward, stream)]);
}
