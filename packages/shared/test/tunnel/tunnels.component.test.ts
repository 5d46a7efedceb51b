import { systemClock } from '../../src/lifecycle/clock.ts';
import { identity, ip } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { CertificateSource, WorkloadCertificate } from '../../src/certificates/workload-certificate.ts';
import type { TunnelEngine } from '../../src/tunnel/engine.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { event, until } from './bounded.ts';
import { readAll } from './compliance/rig.ts';
import {
  authorities,
  certificateOf,
  client,
  loopback,
  never,
  openBed,
  server,
  serverCertificates,
  streamOf,
  tcp,
} from './tunnel-bed.ts';

describe('tunnels between PooledDialer and TunnelAcceptor', () => {
  it('carries bytes between two proven identities', async () => {
    await using bed = await openBed();
    const outcome = await bed.dial();
    expect(outcome).to.include({ kind: 'open', peer: server, baggage: 'service.name=server' });
    const stream = streamOf(outcome);
    stream.end('hello');
    expect(String(await readAll(stream))).to.equal('hello');
    const [request] = bed.requests;
    expect(request?.peer).to.deep.include({ identity: client, local: { ip: loopback, port: bed.port } });
    expect(request?.peer.tls).to.deep.equal({ protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' });
    expect(request?.incoming.headers).to.deep.equal({ baggage: 'a=b' });
  });

  it('shares one connection between equal targets, first ones at once included', async () => {
    await using bed = await openBed();
    await Promise.all([bed.dial(), bed.dial(), bed.dial()]);
    await bed.dial();
    expect(bed.sockets.length).to.equal(1);
    expect(bed.requests.length).to.equal(4);
  });

  it('keeps targets apart that differ in source, peers or source address', async () => {
    await using bed = await openBed();
    await bed.dial();
    await bed.dial({ acceptedPeers: [server, identity('bank', 'other')] });
    await bed.dial({ sourceIp: ip('10.0.0.9') });
    await bed.dial({ sourceIdentity: identity('bank', 'another') });
    expect(bed.sockets.length).to.equal(4);
  });

  it('opens another connection when one is full, and closes the full one after its last stream', async () => {
    await using bed = await openBed({ dialer: { maxStreams: 2 } });
    const streams = (await Promise.all([bed.dial(), bed.dial(), bed.dial()])).map(streamOf);
    expect(bed.sockets.length).to.equal(2);
    expect(bed.dialer.tunnelCount).to.equal(2);
    for (const stream of streams.slice(0, 2)) {
      stream.end();
      await readAll(stream);
    }
    await until(() => bed.dialer.tunnelCount === 1 && bed.acceptor.sessionCount === 1, 'full connection closed');
  });

  it('lets go of a connection nobody uses, though not of its live stream', async () => {
    const clock = new FakeClock();
    await using bed = await openBed({ clock, dialer: { idleMs: 5_000 } });
    const stream = streamOf(await bed.dial());
    clock.advance(5_000);
    await bed
      .dial()
      .then(streamOf)
      .then((other) => other.destroy());
    expect(bed.sockets.length).to.equal(2);
    stream.end('still');
    expect(String(await readAll(stream))).to.equal('still');
    await until(() => bed.dialer.tunnelCount === 1, 'first connection closed');
  });

  for (const [crossed, kind] of [
    [1, 'open'],
    [2, 'open'],
    [3, 'failed'],
  ] as const) {
    it(`ends as ${kind} when ${crossed} connections in turn say GOAWAY to the request`, async () => {
      const real = new NodeHttp2Engine({ clock: systemClock });
      let left = crossed as number;
      const engine: TunnelEngine = {
        name: 'crossing',
        inner: real,
        serve: (...args) => real.serve(...args),
        connect: async (...args) => {
          const session = await real.connect(...args);
          left -= 1;
          if (left >= 0) session.open = () => Promise.resolve({ kind: 'failed', error: new Error('crossed'), unprocessed: true });
          return session;
        },
      };
      await using bed = await openBed({ engine });
      const outcome = await bed.dial();
      expect(outcome.kind).to.equal(kind);
      if (outcome.kind === 'failed') expect(outcome.unsent).to.equal(true);
      expect(bed.requests.length).to.equal(kind === 'open' ? 1 : 0);
    });
  }

  it('never repeats a request that the peer may have looked at', async () => {
    await using bed = await openBed({ onConnect: () => bed.sockets[0]?.destroy() });
    expect(await bed.dial()).to.include({ kind: 'failed', unsent: false });
    expect(bed.requests.length).to.equal(1);
  });

  it('tells a client of a draining acceptor that nothing was done', async () => {
    await using bed = await openBed();
    bed.drain.begin(60_000);
    expect(await bed.dial()).to.include({ kind: 'failed', unsent: true });
    expect(bed.requests).to.deep.equal([]);
  });

  for (const status of [400, 401, 421, 503] as const) {
    it(`tells a refusal ${status} with the peer that gave it`, async () => {
      await using bed = await openBed({ onConnect: (incoming) => incoming.refuse(status) });
      expect(await bed.dial()).to.deep.equal({ kind: 'refused', status, peer: server });
    });
  }

  it('closes all tunnels to a workload that was removed, whatever they carry', async () => {
    await using bed = await openBed({ dialer: { maxStreams: 1 } });
    const streams = (await Promise.all([bed.dial(), bed.dial()])).map(streamOf);
    const errors = streams.map((stream) => event(stream, 'error'));
    bed.dialer.closePeer(ip('10.9.9.9'));
    expect(bed.dialer.tunnelCount).to.equal(2);
    bed.dialer.closePeer(loopback);
    for (const error of errors) expect(await error).to.be.instanceOf(Error);
    await until(() => bed.dialer.tunnelCount === 0, 'tunnels closed');
  });

  it('uses a rotated certificate for new connections, and leaves old ones alone', async () => {
    const [old, renewed] = await Promise.all([
      serverCertificates(),
      certificateOf(await authorities(), server, { uris: [server] }),
    ]);
    const served: WorkloadCertificate[] = [];
    const certificates: CertificateSource = {
      get: () => {
        const certificate = served.length === 0 ? old : renewed;
        served.push(certificate);
        return Promise.resolve(certificate);
      },
    };
    await using bed = await openBed({ certificates });
    const stream = streamOf(await bed.dial());
    await bed.dial({ sourceIp: ip('10.0.0.9') });
    expect(served).to.deep.equal([old, renewed]);
    stream.end('still');
    expect(String(await readAll(stream))).to.equal('still');
  });

  it('ends the tunnel, and nothing else, when its TLS stream is corrupted', async () => {
    await using bed = await openBed();
    const failed = event(streamOf(await bed.dial()), 'error');
    bed.dialled[0]?.write('no TLS record at all, but long enough to be taken for one');
    expect(await failed).to.be.instanceOf(Error);
    await until(() => bed.acceptor.sessionCount === 0 && bed.dialer.tunnelCount === 0, 'closed');
    expect(bed.ends.map((end) => end.reason)).to.deep.equal(['connection-lost']);
    expect((await bed.dial()).kind).to.equal('open');
  });

  it('leaves nothing behind after a hundred tunnels came and went', async () => {
    await using bed = await openBed();
    const open = (): number => process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout/.test(kind)).length;
    const before = open();
    for (let round = 0; round < 5; round++) {
      const dials = Array.from({ length: 20 }, (_, i) => bed.dial({ sourceIp: ip(`10.0.${round}.${i}`) }));
      for (const stream of (await Promise.all(dials)).map(streamOf)) stream.destroy();
      bed.dialer.closePeer(loopback);
      await until(() => bed.dialer.tunnelCount === 0 && bed.acceptor.sessionCount === 0, 'closed');
    }
    await until(() => open() <= before, 'resources released');
  });

  it('makes a new connection after one was lost', async () => {
    await using bed = await openBed();
    await bed.dial();
    bed.sockets[0]?.destroy();
    await until(() => bed.dialer.tunnelCount === 0, 'loss seen');
    expect((await bed.dial()).kind).to.equal('open');
  });

  describe('the end', () => {
    it('drains: streams finish, then connections close', async () => {
      await using bed = await openBed();
      const stream = streamOf(await bed.dial());
      bed.drain.begin(60_000);
      stream.end('last');
      expect(String(await readAll(stream))).to.equal('last');
      await until(() => bed.acceptor.sessionCount === 0 && bed.dialer.tunnelCount === 0, 'closed');
      expect(bed.ends.map((end) => end.reason)).to.deep.equal(['closed']);
    });

    it('tells whoever dialled that the peer drains, while streams go on', async () => {
      await using bed = await openBed();
      const stream = streamOf(await bed.dial());
      expect(bed.drainingPeers).to.deep.equal([]);
      bed.drain.begin(60_000);
      await until(() => bed.drainingPeers.length > 0, 'GOAWAY');
      expect(bed.drainingPeers).to.deep.equal([bed.target()]);
      stream.end('still');
      expect(String(await readAll(stream))).to.equal('still');
    });

    it('ends everything when the drain is forced, and accepts nothing after', async () => {
      await using bed = await openBed();
      const stream = streamOf(await bed.dial());
      const closed = event(stream.resume(), 'close');
      bed.drain.force();
      await closed;
      await until(() => bed.acceptor.sessionCount === 0, 'closed');
      expect((await bed.dial()).kind).to.equal('failed');
    });

    it('leaves no socket and no timer when both are disposed with streams and handshakes under way', async () => {
      const clock = new FakeClock();
      const bed = await openBed({ clock });
      await Promise.all([bed.dial(), bed.dial({ sourceIp: ip('10.0.0.7') })]);
      const half = await tcp('127.0.0.1', bed.port, never);
      half.on('error', () => {}).resume();
      await until(() => bed.sockets.length === 3, 'half a handshake');
      const pending = bed.dialer.dial(bed.target({ sourceIp: ip('10.0.0.8') }), { authority: 'a:1', headers: {} }, never);
      await bed[Symbol.asyncDispose]();
      expect((await pending).kind).to.equal('failed');
      expect(bed.dialer.tunnelCount).to.equal(0);
      expect(bed.acceptor.sessionCount).to.equal(0);
      await until(() => bed.sockets.every((socket) => socket.destroyed), 'sockets destroyed');
      half.destroy();
      expect(clock.pendingTimers).to.equal(0);
    });
  });
});
