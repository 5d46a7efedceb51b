/** A dialer and an acceptor with certificates of their own, TCP over loopback between them. */
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { systemClock } from '../../src/lifecycle/clock.ts';
import type { Clock } from '../../src/lifecycle/clock.ts';
import { Drain } from '../../src/lifecycle/drain.ts';
import type { IpAddress } from '../../src/model/ip-address.ts';
import { silentLogger } from '../../src/observe/log.ts';
import { identity, ip } from '../../src/testing/builders.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import type { LeafSpec } from '../../src/testing/test-authority.ts';
import { createMeshContext } from '../../src/tls/mesh-context.ts';
import type { CertificateSource, WorkloadCertificate } from '../../src/certificates/workload-certificate.ts';
import { TunnelAcceptor } from '../../src/tunnel/acceptor.ts';
import type { AcceptFailure, AcceptedPeer, TunnelAcceptorOptions } from '../../src/tunnel/acceptor.ts';
import type { DialOutcome, TunnelTarget } from '../../src/tunnel/dialer.ts';
import type { IncomingConnect, SessionEnd, TunnelEngine } from '../../src/tunnel/engine.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { PooledDialer } from '../../src/tunnel/pooled-dialer.ts';
import type { PooledDialerOptions } from '../../src/tunnel/pooled-dialer.ts';
import { bounded } from './bounded.ts';

export const client: SpiffeId = identity('bank', 'client');
export const server: SpiffeId = identity('bank', 'server');
export const loopback: IpAddress = ip('127.0.0.1');
export const never: AbortSignal = new AbortController().signal;

/** Keys are slow to make: one authority and one server certificate for all tests of a process. */
let authority: Promise<TestAuthority> | undefined;
let serverCertificate: Promise<WorkloadCertificate> | undefined;

export function authorities(): Promise<TestAuthority> {
  authority ??= TestAuthority.create();
  return authority;
}

export function serverCertificates(): Promise<WorkloadCertificate> {
  serverCertificate ??= authorities().then((from) => certificateOf(from, server, { uris: [server] }));
  return serverCertificate;
}

export type Bed = AsyncDisposable & {
  readonly port: number;
  readonly acceptor: TunnelAcceptor;
  readonly dialer: PooledDialer;
  readonly drain: Drain;
  readonly clock: Clock;
  readonly requests: { readonly incoming: IncomingConnect; readonly peer: AcceptedPeer }[];
  readonly failures: AcceptFailure[];
  readonly ends: SessionEnd[];
  /** TCP connections accepted so far. */
  readonly sockets: Socket[];
  /** TCP connections the dialer made so far. */
  readonly dialled: Socket[];
  /** Whose GOAWAY the dialer told of. */
  readonly drainingPeers: TunnelTarget[];
  target(over?: Partial<TunnelTarget>): TunnelTarget;
  dial(over?: Partial<TunnelTarget>): Promise<DialOutcome>;
};

export type BedOptions = {
  readonly clock?: Clock;
  /** The dialer's. */
  readonly engine?: TunnelEngine;
  readonly acceptorEngine?: TunnelEngine;
  readonly clientSpec?: LeafSpec;
  readonly clientAuthority?: TestAuthority;
  /** The acceptor's. */
  readonly certificates?: CertificateSource;
  /** The dialer's; instead of `clientSpec`. */
  readonly clientCertificates?: CertificateSource;
  readonly acceptor?: Partial<TunnelAcceptorOptions>;
  readonly dialer?: PooledDialerOptions;
  /** @default accept and echo */
  readonly onConnect?: (incoming: IncomingConnect) => void;
};

export async function certificateOf(from: TestAuthority, id: SpiffeId, spec: LeafSpec): Promise<WorkloadCertificate> {
  const { certPem, keyPem } = await from.issue(spec);
  const roots = [(await authorities()).rootPem];
  const context = createMeshContext({ chain: [certPem], keyPem, roots });
  return {
    identity: id,
    chain: [certPem],
    roots,
    notBefore: 0,
    notAfter: Infinity,
    clientContext: context,
    serverContext: context,
  };
}

export async function openBed(options: BedOptions = {}): Promise<Bed> {
  const authority = await authorities();
  const serverCertificate = await serverCertificates();
  const clock = options.clock ?? systemClock;
  const drain = new Drain({ clock });
  const engine = new NodeHttp2Engine({ clock });
  const requests: Bed['requests'] = [];
  const failures: AcceptFailure[] = [];
  const ends: SessionEnd[] = [];
  const sockets: Socket[] = [];
  const dialled: Socket[] = [];
  const drainingPeers: TunnelTarget[] = [];
  const answer = options.onConnect ?? echo;
  const acceptor = new TunnelAcceptor(
    { identity: server, trustDomain: 'cluster.local', ...options.acceptor },
    {
      engine: options.acceptorEngine ?? engine,
      certificates: options.certificates ?? { get: () => Promise.resolve(serverCertificate) },
      drain,
      onConnect: (incoming, peer) => {
        requests.push({ incoming, peer });
        answer(incoming);
      },
      onFailure: (failure) => failures.push(failure),
      onSessionEnd: (end) => ends.push(end),
      clock,
      logger: silentLogger,
    },
  );
  const listener = createServer((socket) => {
    sockets.push(socket);
    acceptor.accept(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const clientCertificate = await certificateOf(
    options.clientAuthority ?? authority,
    client,
    options.clientSpec ?? { uris: [client] },
  );
  const dialer = new PooledDialer(options.dialer ?? {}, {
    engine: options.engine ?? engine,
    certificates: options.clientCertificates ?? { get: () => Promise.resolve(clientCertificate) },
    connect: async (address, signal) => {
      const socket = await tcp(address.ip, address.port, signal);
      dialled.push(socket);
      return socket;
    },
    clock,
    logger: silentLogger,
    onPeerDraining: (target) => drainingPeers.push(target),
  });
  const target = (over: Partial<TunnelTarget> = {}): TunnelTarget => ({
    sourceIdentity: client,
    acceptedPeers: [server],
    address: { ip: loopback, port },
    sourceIp: ip('10.0.0.1'),
    ...over,
  });
  return {
    port,
    acceptor,
    dialer,
    drain,
    clock,
    requests,
    failures,
    ends,
    sockets,
    dialled,
    drainingPeers,
    target,
    dial: (over) => bounded(dialer.dial(target(over), { authority: '10.0.0.2:80', headers: { baggage: 'a=b' } }, never), 'dial'),
    [Symbol.asyncDispose]: async () => {
      await bounded(Promise.all([dialer[Symbol.asyncDispose](), acceptor[Symbol.asyncDispose]()]), 'disposed');
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

function echo(incoming: IncomingConnect): void {
  const stream = incoming.accept({ baggage: 'service.name=server' });
  stream.pipe(stream);
}

export function tcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, signal, noDelay: true });
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

export function streamOf(outcome: DialOutcome): Duplex {
  if (outcome.kind !== 'open') throw new Error(`not open: ${JSON.stringify(outcome)}`);
  return outcome.stream;
}
