import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { silentLogger } from '../../src/observe/log.ts';
import { identity } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import type { WorkloadCertificate } from '../../src/certificates/workload-certificate.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { PooledDialer } from '../../src/tunnel/pooled-dialer.ts';
import { bounded, event, until } from './bounded.ts';
import { client, loopback, never, openBed, server, serverCertificates, tcp } from './tunnel-bed.ts';

describe('tunnels that do not come about', () => {
  let serverCertificate: WorkloadCertificate;
  before(async () => {
    serverCertificate = await serverCertificates();
  });

  for (const [what, reason, clientSpec] of [
    ['an expired client', 'expired', { uris: [client], notBefore: Date.now() - 7_200_000 }],
    ['a client of another trust domain', 'other-trust-domain', { uris: [identity('bank', 'client', 'other.domain')] }],
    ['a client without a SPIFFE id', 'no-identity', { dnsNames: ['client'] }],
    ['a client certified as server only', 'wrong-usage', { uris: [client], usages: ['serverAuth'] }],
  ] as const) {
    it(`turns ${what} away before any request`, async () => {
      await using bed = await openBed({ clientSpec });
      const outcome = await bed.dial();
      expect(outcome).to.include({ kind: 'failed' });
      expect(bed.requests).to.deep.equal([]);
      expect(bed.failures.map((failure) => failure.reason)).to.deep.equal([reason]);
      expect(bed.failures[0]?.error.message).to.include('TLS from 127.0.0.1');
      await until(() => bed.dialer.tunnelCount === 0 && bed.acceptor.sessionCount === 0, 'nothing left');
    });
  }

  it('turns a client of an unknown authority away', async () => {
    await using bed = await openBed({ clientAuthority: await TestAuthority.create({ name: 'another root' }) });
    expect((await bed.dial()).kind).to.equal('failed');
    expect(bed.failures.map((failure) => failure.reason)).to.deep.equal(['unknown-authority']);
  });

  it('does not talk to a server with another identity', async () => {
    await using bed = await openBed();
    const outcome = await bed.dial({ acceptedPeers: [identity('bank', 'somebody-else')] });
    expect(outcome).to.include({ kind: 'failed', flag: 'TLS_FAILURE', unsent: true });
    expect(outcome.kind === 'failed' && outcome.error.message)
      .to.include('unexpected-identity')
      .and.to.include(server);
    expect(bed.requests).to.deep.equal([]);
  });

  it('tells a connection refused as such', async () => {
    await using bed = await openBed();
    const outcome = await bed.dial({ address: { ip: loopback, port: 1 } });
    expect(outcome).to.include({ kind: 'failed', flag: 'CONNECT', unsent: true });
    expect(outcome.kind === 'failed' && outcome.error).to.include({ code: 'MESH-HBONE-001' });
    expect((await bed.dial()).kind, 'the next one tries again').to.equal('open');
  });

  it('gives up on a TCP connection after 10 s', async () => {
    const clock = new FakeClock();
    await using bed = await openBed({ clock });
    const hanging = new PooledDialer(
      {},
      {
        engine: new NodeHttp2Engine({ clock }),
        certificates: { get: () => Promise.resolve(serverCertificate) },
        connect: (_target, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        clock,
        logger: silentLogger,
      },
    );
    const dialing = hanging.dial(bed.target(), { authority: 'a:1', headers: {} }, never);
    await until(() => clock.nextTimerMs === 10_000, 'connecting');
    clock.advance(10_000);
    const outcome = await bounded(dialing, 'outcome');
    expect(outcome).to.include({ kind: 'failed', flag: 'CONNECT' });
    expect(outcome.kind === 'failed' && outcome.error.message).to.include('no connection within 10000 ms');
  });

  it('fails with the certificate’s error, and closes the socket of a client likewise', async () => {
    const certificates = { get: () => Promise.reject(new Error('closed for lunch')) };
    await using bed = await openBed({ certificates });
    expect((await bed.dial()).kind).to.equal('failed');
    expect(bed.failures.map(({ reason, error }) => [reason, error.message.includes('closed for lunch')])).to.deep.equal([
      ['certificate-unavailable', true],
    ]);
    const dialer = new PooledDialer(
      {},
      {
        engine: new NodeHttp2Engine({ clock: systemClock }),
        certificates,
        connect: tcpNever,
        clock: systemClock,
        logger: silentLogger,
      },
    );
    expect(await dialer.dial(bed.target(), { authority: 'a:1', headers: {} }, never)).to.include({
      kind: 'failed',
      flag: 'IDENTITY_ERROR',
    });
  });

  it('lets a caller give up while the tunnel is being made, and others have it', async () => {
    await using bed = await openBed();
    const abort = new AbortController();
    const request = { authority: '10.0.0.2:80', headers: {} };
    const [first, second] = [bed.dialer.dial(bed.target(), request, abort.signal), bed.dialer.dial(bed.target(), request, never)];
    abort.abort(new Error('client left'));
    expect(await bounded(first, 'first')).to.include({ kind: 'failed' });
    expect((await bounded(second, 'second')).kind).to.equal('open');
    expect(bed.sockets.length).to.equal(1);
  });

  it('gives a client 10 s for the handshake, waiting for the certificate included', async () => {
    const clock = new FakeClock();
    const certificate = Promise.withResolvers<WorkloadCertificate>();
    await using bed = await openBed({ clock, certificates: { get: () => certificate.promise } });
    const socket = await tcp('127.0.0.1', bed.port, never);
    const closed = event(socket, 'close');
    socket.on('error', () => {}).resume();
    await until(() => clock.pendingTimers === 1, 'accepted');
    clock.advance(7_000);
    certificate.resolve(serverCertificate);
    await new Promise((resolve) => setImmediate(resolve));
    await until(() => clock.nextTimerMs === 3_000, 'handshake');
    clock.advance(3_000);
    await closed;
    await until(() => bed.failures.length === 1, 'failure');
    expect(bed.failures[0]?.reason).to.equal('timeout');
  });

  it('bounds the handshakes under way', async () => {
    const clock = new FakeClock();
    await using bed = await openBed({ clock, acceptor: { maxHandshakes: 2 } });
    const idle = await Promise.all([tcp('127.0.0.1', bed.port, never), tcp('127.0.0.1', bed.port, never)]);
    for (const socket of idle) socket.on('error', () => {}).resume();
    await until(() => bed.sockets.length === 2, 'two accepted');
    const third = await tcp('127.0.0.1', bed.port, never);
    third.on('error', () => {}).resume();
    await event(third, 'close');
    expect(bed.failures.map((failure) => failure.reason)).to.deep.equal(['overloaded']);
    clock.advance(10_000);
    await until(() => bed.failures.length === 3, 'slots freed');
  });

  it('gives one address a share of the handshakes, so that it cannot keep others out', async () => {
    const clock = new FakeClock();
    await using bed = await openBed({ clock, acceptor: { maxHandshakes: 3, maxHandshakesPerPeer: 2 } });
    const from = async (localAddress: string): Promise<Socket> => {
      const socket = connect({ host: '127.0.0.1', port: bed.port, localAddress }).on('error', () => {});
      await event(socket.resume(), 'connect');
      return socket;
    };
    for (let index = 0; index < 2; index++) await from('127.0.0.66');
    await until(() => bed.sockets.length === 2, 'two accepted');
    await event(await from('127.0.0.66'), 'close');
    expect(bed.failures.map((failure) => failure.reason)).to.deep.equal(['overloaded']);
    await from('127.0.0.67');
    await until(() => clock.pendingTimers === 3, 'another address has its turn');
    clock.advance(10_000);
    await until(() => bed.failures.length === 4, 'shares freed');
    await from('127.0.0.66');
    await until(() => clock.pendingTimers === 1, 'the first address has its turn again');
    expect(bed.failures.map((failure) => failure.reason)).to.deep.equal(['overloaded', 'timeout', 'timeout', 'timeout']);
  });

  it('takes garbage for what it is', async () => {
    await using bed = await openBed();
    const socket = await tcp('127.0.0.1', bed.port, never);
    socket.on('error', () => {}).resume();
    const closed = event(socket, 'close');
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await closed;
    await until(() => bed.failures.length === 1, 'failure');
    expect(bed.failures[0]?.reason).to.equal('malformed');
  });
});

function tcpNever(): Promise<Socket> {
  return Promise.reject(new Error('nobody connects'));
}
