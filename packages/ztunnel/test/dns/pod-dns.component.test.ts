import dgram from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import { DatagramTracking } from '@clearmesh/linux/datagram-tracking';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { originalDestination } from '@clearmesh/linux/original-destination';
import { openDescriptors } from '@clearmesh/linux/testing/open-descriptors';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import { Metrics } from '../../src/admin/metrics.ts';
import { AnswerCache } from '../../src/dns/answer-cache.ts';
import { AskedServers } from '../../src/dns/asked-servers.ts';
import { Forwarder } from '../../src/dns/forwarder.ts';
import { MessageStream, framed } from '../../src/dns/message-stream.ts';
import { OtherResolvers } from '../../src/dns/other-resolvers.ts';
import { PodDns } from '../../src/dns/pod-dns.ts';
import { DnsResponder } from '../../src/dns/responder.ts';
import { question, readAnswer, upstreamAnswer } from './messages.ts';
import { FakeResolver, freePort } from './resolvers.ts';
import type { Answering } from './resolvers.ts';

const pod = { name: 'client', namespace: 'bank', serviceAccount: 'default' };
const many = Array.from({ length: 300 }, (_, index) => `10.97.${index >> 8}.${index & 255}`);
const store = storeOf({
  workloads: [workload()],
  services: [
    service({ name: 'ledger', addresses: ['10.96.0.1', 'fd96::1'] }),
    service({ name: 'many', addresses: many }),
    service({ name: 'api', hostname: 'api.example.com', addresses: ['240.240.0.1'] }),
  ],
});

describe('the DNS proxy of a pod', () => {
  let answer: Answering;
  let upstream: FakeResolver;
  let proxy: PodDns;
  let port: number;
  let clock: FakeClock;
  let resolver: Resolver;

  const open = (): PodDns => {
    const openDatagram = (): number => datagramSocket({ ip: '0.0.0.0', port: 0 }).fd;
    const forwarder = new Forwarder(
      {},
      { openDatagram, connect: (target, signal) => connectTcp({ target }, signal), clock: systemClock, random: systemRandom },
    );
    const metrics = new Metrics({ version: 'test' }, { clock }).dns;
    const others = new OtherResolvers(
      { nameservers: [upstream.address] },
      {
        forward: (query, way, signal) => forwarder.forward(query, way, signal),
        cache: new AnswerCache({ maxEntries: 10 }, { clock }),
        metrics,
      },
    );
    const responder = new DnsResponder(
      { pod, clusterDomain: 'cluster.local', preferredNamespace: '', ipv6: true },
      {
        snapshots: store,
        askOthers: (query, asking, signal) => others.ask(query, asking, signal),
        metrics,
        random: systemRandom,
        log: silentLogger,
      },
    );
    const servers = new AskedServers({ openTracking: () => new DatagramTracking(), originalDestination, logger: silentLogger });
    return new PodDns(
      { host: 'localhost', port, reusePort: true, ipv6: true },
      { listen: listenSocket, openDatagram: datagramSocket, responder, servers, clock, logger: silentLogger },
    );
  };

  beforeEach(async () => {
    answer = (message) => upstreamAnswer(message, { address: '9.9.9.9' });
    upstream = await FakeResolver.start((message, protocol) => answer(message, protocol));
    clock = new FakeClock();
    port = await freePort();
    proxy = open();
    resolver = new Resolver({ timeout: 2_000, tries: 1 });
    resolver.setServers([`127.0.0.1:${port}`]);
  });

  afterEach(async () => {
    resolver.cancel();
    proxy[Symbol.dispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const codeOf = async (asked: Promise<unknown>): Promise<unknown> =>
    asked.then(
      () => 'answered',
      (error: NodeJS.ErrnoException) => error.code,
    );

  /** A connection to the proxy, and what it answers on it. */
  const connect = async (): Promise<{ readonly socket: net.Socket; readonly answers: AsyncIterator<Buffer> }> => {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return { socket, answers: new MessageStream(socket)[Symbol.asyncIterator]() };
  };

  it('answers names of the mesh to a real resolver', async () => {
    expect(await resolver.resolve4('ledger.bank.svc.cluster.local', { ttl: true })).to.deep.equal([
      { address: '10.96.0.1', ttl: 30 },
    ]);
    expect(await resolver.resolve6('ledger.bank')).to.deep.equal(['fd96::1']);
    expect(upstream.seen).to.deep.equal([]);
  });

  it('answers at ::1, too', async () => {
    resolver.setServers([`[::1]:${port}`]);
    expect(await resolver.resolve4('ledger.bank')).to.deep.equal(['10.96.0.1']);
  });

  it('says that there is no address of a family', async () => {
    expect(await codeOf(resolver.resolve6('api.example.com'))).to.equal('ENODATA');
  });

  it('gives all addresses over TCP when they do not fit into a datagram', async () => {
    expect([...(await resolver.resolve4('many.bank'))].sort()).to.deep.equal([...many].sort());
  });

  it('asks another resolver for what it does not know', async () => {
    expect(await resolver.resolve4('www.example.org', { ttl: true })).to.deep.equal([{ address: '9.9.9.9', ttl: 77 }]);
    expect(upstream.seen.map(({ protocol }) => protocol)).to.deep.equal(['udp']);
  });

  it('asks it once for as long as its answer lives', async () => {
    await resolver.resolve4('www.example.org');
    clock.advance(70_000);
    expect(await resolver.resolve4('WWW.example.org', { ttl: true })).to.deep.equal([{ address: '9.9.9.9', ttl: 7 }]);
    clock.advance(7_000);
    expect(await resolver.resolve4('www.example.org', { ttl: true })).to.deep.equal([{ address: '9.9.9.9', ttl: 77 }]);
    expect(upstream.seen).to.have.lengthOf(2);
  });

  it('asks it over TCP when the pod does', async () => {
    answer = (message, protocol) => {
      const bytes = upstreamAnswer(message, { address: '9.9.9.9' });
      if (protocol === 'udp') bytes.writeUInt16BE(bytes.readUInt16BE(2) | 0x0200, 2);
      return bytes;
    };
    expect(await resolver.resolve4('www.example.org')).to.deep.equal(['9.9.9.9']);
    expect(upstream.seen.map(({ protocol }) => protocol)).to.deep.equal(['udp', 'tcp']);
  });

  it('tells what another resolver tells', async () => {
    answer = (message) => upstreamAnswer(message, { code: 3 });
    expect(await codeOf(resolver.resolve4('nothing.example.org'))).to.equal('ENOTFOUND');
  });

  it('says SERVFAIL where nobody answers', async () => {
    await upstream[Symbol.asyncDispose]();
    try {
      expect(await codeOf(resolver.resolve4('www.example.org'))).to.equal('ESERVFAIL');
    } finally {
      upstream = await FakeResolver.start(answer);
    }
  });

  it('answers several questions on one connection, in pieces as they come', async () => {
    const { socket, answers } = await connect();
    const bytes = Buffer.concat([1, 2, 3].map((id) => framed(question({ id, name: 'ledger' }))));
    const ids: number[] = [];
    for (const at of [0, 1, 3, 40, 41]) {
      socket.write(bytes.subarray(at, { 0: 1, 1: 3, 3: 40, 40: 41 }[at] ?? bytes.length));
    }
    for (let index = 0; index < 3; index++) ids.push(readAnswer((await answers.next()).value as Buffer).id);
    expect(ids).to.deep.equal([1, 2, 3]);
    socket.end();
    expect((await answers.next()).done).to.equal(true);
  });

  it('closes a connection that is silent for five seconds, or trickles', async () => {
    const { socket, answers } = await connect();
    socket.write(framed(question({ name: 'ledger' })));
    await answers.next();
    socket.write(Buffer.of(0));
    clock.advance(4_999);
    expect(socket.destroyed).to.equal(false);
    const ended = answers.next().catch(() => ({ done: true }));
    clock.advance(1);
    expect((await ended).done).to.equal(true);
  });

  it('does not answer what is no message, nor what comes from its own port', async () => {
    const before = dgram.createSocket({ type: 'udp4', reusePort: true });
    before.bind(port, '127.0.0.1');
    await once(before, 'listening');
    const asker = dgram.createSocket('udp4');
    const heard: Buffer[] = [];
    asker.on('message', (message) => heard.push(message));
    asker.send(Buffer.of(1, 2, 3), port, '127.0.0.1');
    asker.send(question({ name: 'ledger' }), port, '127.0.0.1');
    before.close();
    await once(before, 'close');
    asker.send(question({ name: 'ledger' }), port, '127.0.0.1');
    await once(asker, 'message');
    expect(heard.map((message) => readAnswer(message).code)).to.deep.equal(heard.map(() => 0));
    asker.close();
  });

  it('answers what was asked before it closes, and leaves the rest to a successor', async () => {
    const isAsked = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    answer = async (message) => {
      isAsked.resolve();
      await mayAnswer.promise;
      return upstreamAnswer(message, { address: '9.9.9.9' });
    };
    const found = resolver.resolve4('www.example.org');
    await isAsked.promise;
    using successor = open();
    proxy.yield();
    const finished = proxy.finish();
    mayAnswer.resolve();
    expect(await found).to.deep.equal(['9.9.9.9']);
    await finished;
    expect(await resolver.resolve4('ledger.bank')).to.deep.equal(['10.96.0.1']);
    expect(await resolver.resolve4('many.bank')).to.have.lengthOf(300);
    successor.yield();
    expect(await resolver.resolve4('ledger.bank'), 'with nobody to yield to').to.deep.equal(['10.96.0.1']);
  });

  it('gives up what was asked when it is disposed of', async () => {
    const isAsked = Promise.withResolvers<void>();
    answer = () => (isAsked.resolve(), undefined);
    const { socket, answers } = await connect();
    socket.write(framed(question({ name: 'www.example.org' })));
    await isAsked.promise;
    const ended = answers.next().catch(() => ({ done: true }));
    proxy[Symbol.dispose]();
    expect((await ended).done).to.equal(true);
  });

  it('opens all of its ports or none', async () => {
    proxy[Symbol.dispose]();
    const taken = net.createServer().listen(port, '::1');
    await once(taken, 'listening');
    const before = openDescriptors();
    expect(open)
      .to.throw(MeshError, `::1 port ${port}`)
      .that.satisfies((error: MeshError) => error.code === 'MESH-CAPTURE-001');
    taken.close();
    await once(taken, 'close');
    expect(openDescriptors()).to.be.at.most(before);
    proxy = open();
  });
});
