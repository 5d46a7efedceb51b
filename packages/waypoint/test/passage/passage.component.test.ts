/** Callers of another network, the gateway, and an endpoint behind it; all real but the networks. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { createLogger, silentLogger } from '@clearmesh/shared/observe/log';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { NestedDialer } from '@clearmesh/shared/tunnel/nested-dialer';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { listen } from '../../src/accept/hbone-front.ts';
import { dialTcp } from '../../src/forward/tcp-dial.ts';
import { PassageFront } from '../../src/passage/connect-front.ts';
import { Passage } from '../../src/passage/passage.ts';
import { until } from '../eventually.ts';

const loopback = ip('127.0.0.1');
const caller = identity('bank', 'payments');
const gatewayId = identity('networks', 'gate');
const ledgerId = identity('bank', 'ledger');
const ledger = service({ name: 'ledger', addresses: ['west/10.96.0.1'], ports: { 80: 8080 } });
const authority = `${ledger.hostname}:80`;
const own = workload({ name: 'gate-0', namespace: 'networks', addresses: ['10.0.9.9'], network: 'west' });
const endpoint = (name: string, address: string): Workload =>
  workload({ name, addresses: [address], network: 'west', serviceAccount: 'ledger', services: { [ledger.key]: { 80: 8080 } } });
const never = new AbortController().signal;

type Served = { readonly port: number; readonly acceptor: TunnelAcceptor };

describe('the gateway of a network', () => {
  let stack: AsyncDisposableStack;
  let certificates: TestCertificates;
  let engine: FramedEngine;
  let drain: Drain;
  let passage: Passage;
  let lines: Record<string, unknown>[];
  let refusals: string[];
  let elsewhere: IncomingConnect[];
  let far: Served & { readonly asked: { readonly incoming: IncomingConnect; readonly peer: AcceptedPeer }[] };
  let gatewayPort: number;
  /** Where addresses of the network really are. */
  let places: Map<string, number>;

  async function serve(id: SpiffeId, onConnect: (incoming: IncomingConnect, peer: AcceptedPeer) => void): Promise<Served> {
    const deps = { engine, certificates, drain, clock: systemClock, logger: silentLogger, onFailure: () => {}, onConnect };
    const acceptor = stack.use(new TunnelAcceptor({ identity: id, trustDomain: 'cluster.local' }, deps));
    const server = await listen({ port: 0, host: loopback }, (socket) => acceptor.accept(socket));
    stack.defer(() => void server.close());
    return { port: (server.address() as AddressInfo).port, acceptor };
  }

  const open = async (workloads: readonly Workload[] = [endpoint('ledger-0', '10.0.0.1')], maxStreams = 100): Promise<void> => {
    const logger = createLogger('access', {
      format: 'json',
      write: (text) => lines.push(JSON.parse(text) as Record<string, unknown>),
    });
    passage = new Passage(
      { connectMs: 500, maxStreams },
      {
        snapshots: storeOf({ services: [ledger], workloads: [own, ...workloads] }),
        own: () => own,
        connect: ({ ip: to, port }: SocketAddress, signal) =>
          to === '10.0.0.6' ? silence(signal) : dialTcp({ ip: loopback, port: places.get(`${to}:${port}`) ?? 1 }, signal),
        onRefused: (reason) => refusals.push(reason),
        forced: drain.forced,
        random: new FakeRandom([0, 0, 0, 0]),
        clock: systemClock,
        logger,
      },
    );
    const other = {
      open: 0,
      recvConnect: (incoming: IncomingConnect) => {
        elsewhere.push(incoming);
        incoming.refuse(421);
      },
    };
    const front = new PassageFront(passage, other);
    gatewayPort = (await serve(gatewayId, (incoming, peer) => front.recvConnect(incoming, peer))).port;
  };

  const dial = (asked = authority, innerPeers: readonly SpiffeId[] = [ledgerId]): Promise<DialOutcome> => {
    const deps = { engine, certificates, clock: systemClock, logger: silentLogger };
    const outer = stack.use(new PooledDialer({}, { ...deps, connect: (target, signal) => dialTcp(target, signal) }));
    const nested = new NestedDialer({}, { ...deps, outer });
    const target = {
      sourceIdentity: caller,
      acceptedPeers: [gatewayId],
      address: { ip: loopback, port: gatewayPort },
      sourceIp: loopback,
    };
    return nested.dial({ outer: target, innerPeers, ownNetwork: 'east' }, { authority: asked, headers: {} }, never);
  };

  const streamOf = (outcome: DialOutcome): Duplex => {
    if (outcome.kind !== 'open') throw new Error(JSON.stringify(outcome));
    return outcome.stream;
  };

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    [lines, refusals, elsewhere] = [[], [], []];
    certificates = await TestCertificates.create();
    engine = new FramedEngine({ clock: systemClock });
    drain = new Drain({ clock: systemClock });
    const asked: { incoming: IncomingConnect; peer: AcceptedPeer }[] = [];
    const served = await serve(ledgerId, (incoming, peer) => {
      asked.push({ incoming, peer });
      const stream = incoming.accept({});
      stream.pipe(stream);
    });
    far = { ...served, asked };
    places = new Map([['10.0.0.1:15008', far.port]]);
  });

  afterEach(async () => {
    drain.force();
    await stack[Symbol.asyncDispose]();
  });

  it('leads a caller to the pod, which proves itself to him and he to it', async () => {
    await open();
    const outcome = await dial();
    expect(outcome).to.include({ kind: 'open', peer: ledgerId });
    const stream = streamOf(outcome);
    stream.end('question');
    expect(String(await buffer(stream))).to.equal('question');
    const [asked] = far.asked;
    expect(asked?.peer.identity).to.equal(caller);
    expect(asked?.incoming.authority).to.equal(authority);
    expect(asked?.incoming.headers.xForwardedNetwork).to.equal('east');
    await until(() => lines.length === 1);
    expect(lines[0]).to.include({
      message: 'passage complete',
      'src.identity': caller,
      'dst.addr': '10.0.0.1:15008',
      'dst.hbone_addr': authority,
      'dst.service': ledger.hostname,
      'dst.workload': 'ledger-0',
    });
    expect(passage.active).to.equal(0);
  });

  it('carries 8 MiB each way unchanged', async () => {
    await open();
    const sent = randomBytes(8 * 1024 * 1024);
    const stream = streamOf(await dial());
    stream.end(sent);
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(hash(await buffer(stream))).to.equal(hash(sent));
  });

  it('goes to another pod where one cannot be reached', async () => {
    await open([endpoint('dead', '10.0.0.5'), endpoint('ledger-0', '10.0.0.1')]);
    streamOf(await dial()).destroy();
    expect(refusals).to.deep.equal([]);
    expect(far.asked).to.have.length(1);
  });

  it('answers 503 where nobody can be reached, and says why', async () => {
    await open([endpoint('dead', '10.0.0.5')]);
    expect(await dial()).to.deep.equal({ kind: 'refused', status: 503, peer: gatewayId, at: 'gateway' });
    expect(refusals[0]).to.match(/^connecting to 10\.0\.0\.5:15008 failed: /);
  });

  it('gives a pod up that does not take the connection in time', async () => {
    await open([endpoint('silent', '10.0.0.6')]);
    expect(await dial()).to.include({ kind: 'refused', status: 503 });
    expect(refusals).to.deep.equal(['connecting to 10.0.0.6:15008 failed: no connection within 500 ms']);
  });

  it('leaves addresses to the waypoint beside it, and leads nobody to them', async () => {
    await open();
    expect(await dial('10.0.0.1:8080')).to.include({ kind: 'refused', status: 421, at: 'gateway' });
    expect(elsewhere).to.have.length(1);
    expect(far.asked).to.deep.equal([]);
  });

  it('leaves hostnames of an inner tunnel to the waypoint beside it, which may be the way to the service', async () => {
    await open();
    const deps = { engine, certificates, clock: systemClock, logger: silentLogger };
    const dialer = stack.use(new PooledDialer({}, { ...deps, connect: (target, signal) => dialTcp(target, signal) }));
    const target = {
      sourceIdentity: caller,
      acceptedPeers: [gatewayId],
      address: { ip: loopback, port: gatewayPort },
      sourceIp: loopback,
    };
    const inner = { authority, headers: { xForwardedNetwork: 'east' } };
    expect(await dialer.dial(target, inner, never)).to.include({ kind: 'refused', status: 421 });
    expect(elsewhere).to.have.length(1);
    expect(far.asked).to.deep.equal([]);
  });

  it('cannot be taken for the pod: whom the caller does not expect gets nothing', async () => {
    await open();
    expect(await dial(authority, [gatewayId])).to.include({ kind: 'failed', flag: 'TLS_FAILURE' });
    expect(far.asked).to.deep.equal([]);
    await until(() => passage.active === 0);
  });

  it('refuses what is beyond its bound', async () => {
    await open(undefined, 1);
    const first = streamOf(await dial());
    expect(await dial()).to.include({ kind: 'refused', status: 503, at: 'gateway' });
    expect(refusals).to.deep.equal(['the gateway carries 1 streams already']);
    first.destroy();
  });

  it('lets streams go on while it drains, and ends them when that is forced', async () => {
    await open();
    const stream = streamOf(await dial());
    stream.on('error', () => {});
    // Without work a drain is over at once.
    drain.hold('a stream');
    drain.begin(60_000);
    stream.write('still');
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    expect(String(chunk)).to.equal('still');
    drain.force();
    stream.resume();
    const ended: unknown = await once(stream, 'close').catch((error: unknown) => error);
    expect(ended).to.be.instanceOf(Error);
    await until(() => passage.active === 0);
  });

  it('keeps nothing of a hundred callers who gave up', async () => {
    await open();
    for (let round = 0; round < 10; round += 1) {
      const streams = (await Promise.all(Array.from({ length: 10 }, () => dial()))).map(streamOf);
      for (const stream of streams) stream.destroy();
    }
    await until(() => passage.active === 0);
    await until(() => far.acceptor.sessionCount === 0);
  });
});

/** A peer that never takes a connection. */
function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
}
