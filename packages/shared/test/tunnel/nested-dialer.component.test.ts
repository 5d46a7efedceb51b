import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { identity } from '../../src/testing/builders.ts';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { event, until } from './bounded.ts';
import { readAll } from './compliance/rig.ts';
import { authority, gateway, openNestedBed } from './nested-bed.ts';
import type { NestedBed } from './nested-bed.ts';
import { authorities, certificateOf, client, server, streamOf } from './tunnel-bed.ts';
import type { TunnelEngine } from '../../src/tunnel/engine.ts';

const engines: readonly { readonly name: string; readonly create: () => TunnelEngine }[] = [
  { name: 'framed', create: () => new FramedEngine({ clock: systemClock }) },
  { name: 'node:http2', create: () => new NodeHttp2Engine({ clock: systemClock }) },
];

const size = 5 * 1024 * 1024;

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Nothing of inner tunnels is left; the outer one stays for others. */
async function atRest({ far, gateway: outer }: NestedBed): Promise<void> {
  await until(() => far.acceptor.sessionCount === 0, 'inner tunnels closed');
  await until(() => outer.dialled.length === 1 && outer.dialer.tunnelCount === 1, 'outer tunnel open');
}

for (const { name, create } of engines) {
  describe(`a tunnel in a tunnel, with ${name}`, () => {
    it('joins the caller and the far end, each proven to the other, with the authority told to both', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const outcome = await bed.dial();
      expect(outcome).to.include({ kind: 'open', peer: server, baggage: 'service.name=server' });
      const stream = streamOf(outcome);
      stream.end('hello');
      expect(String(await readAll(stream))).to.equal('hello');
      const [outer, inner] = [bed.gateway.requests[0], bed.far.requests[0]];
      expect(outer?.peer.identity).to.equal(client);
      expect(inner?.peer.identity).to.equal(client);
      expect(outer?.incoming.authority).to.equal(authority);
      expect(inner?.incoming.authority).to.equal(authority);
      expect(outer?.incoming.headers).to.deep.equal({ baggage: 'a=b' });
      expect(inner?.incoming.headers).to.deep.equal({ baggage: 'a=b', xForwardedNetwork: 'east' });
      await atRest(bed);
    });

    it('shares the outer tunnel, and makes an inner one for each stream', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const streams = (await Promise.all([bed.dial(), bed.dial(), bed.dial()])).map(streamOf);
      expect([bed.gateway.sockets.length, bed.far.sockets.length]).to.deep.equal([1, 3]);
      for (const stream of streams) stream.destroy();
      await atRest(bed);
    });

    it('carries 5 MiB each way on three streams at once, unchanged', async () => {
      const [up, down] = [randomBytes(size), randomBytes(size)];
      const arrived: Promise<string>[] = [];
      await using bed = await openNestedBed({
        engine: create(),
        far: {
          onConnect: (incoming) => {
            const stream = incoming.accept({});
            arrived.push(readAll(stream).then(hashOf));
            stream.end(down);
          },
        },
      });
      const streams = (await Promise.all([bed.dial(), bed.dial(), bed.dial()])).map(streamOf);
      const received = await Promise.all(
        streams.map((stream) => {
          stream.end(up);
          return readAll(stream);
        }),
      );
      expect(received.map(hashOf)).to.deep.equal([down, down, down].map(hashOf));
      expect(await Promise.all(arrived)).to.deep.equal([up, up, up].map(hashOf));
    });

    it('goes on in one direction when the other has ended', async () => {
      await using bed = await openNestedBed({
        engine: create(),
        far: {
          onConnect: (incoming) => {
            const stream = incoming.accept({});
            stream.resume();
            stream.once('end', () => stream.end('said after the end'));
          },
        },
      });
      const stream = streamOf(await bed.dial());
      stream.end('question');
      expect(String(await readAll(stream))).to.equal('said after the end');
    });

    it('makes a sender wait for a reader at the far end that stopped', async () => {
      await using bed = await openNestedBed({
        engine: create(),
        far: { onConnect: (incoming) => incoming.accept({}).pause() },
      });
      const stream = streamOf(await bed.dial());
      const chunk = Buffer.alloc(1024 * 1024);
      let written = 0;
      const waits = async (): Promise<boolean> =>
        stream.write(chunk) ||
        (await Promise.race([once(stream, 'drain'), event(stream, 'never', 300).catch(() => 'full')])) !== 'full';
      while (written < 64 && (await waits())) written += 1;
      // Two windows of 4 MiB, and what sockets hold.
      expect(written).to.be.lessThan(48);
      stream.destroy();
      await atRest(bed);
    });

    it('ends at the far end when the caller gives up', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const stream = streamOf(await bed.dial());
      stream.destroy();
      await atRest(bed);
      await until(() => bed.far.sockets.every((socket) => socket.destroyed), 'the gateway’s connection closed');
    });

    it('ends with an error at the caller when the far end is lost', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const stream = streamOf(await bed.dial());
      const failed = event(stream, 'error');
      stream.resume();
      for (const socket of bed.far.sockets) socket.destroy();
      expect(await failed).to.be.instanceOf(Error);
      await atRest(bed);
    });

    it('ends with an error at the caller when the gateway is lost', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const stream = streamOf(await bed.dial());
      const failed = event(stream, 'error');
      stream.resume();
      for (const socket of bed.gateway.sockets) socket.destroy();
      expect(await failed).to.be.instanceOf(Error);
      await until(() => bed.far.acceptor.sessionCount === 0, 'inner tunnel closed');
    });

    it('refuses a gateway that proves another identity, before anything goes through it', async () => {
      await using bed = await openNestedBed({ engine: create() });
      const outer = bed.gateway.target({ acceptedPeers: [identity('networks', 'somebody')] });
      expect(await bed.dial({ outer })).to.include({ kind: 'failed', flag: 'TLS_FAILURE', at: 'gateway', unsent: true });
      expect(bed.gateway.requests).to.deep.equal([]);
    });

    for (const [title, innerPeers] of [
      ['proves another identity', [identity('bank', 'somebody')]],
      ['need not be anybody', []],
    ] as const) {
      it(`refuses a far end that ${title}, and asks nothing of it`, async () => {
        await using bed = await openNestedBed({ engine: create() });
        const outcome = await bed.dial({ innerPeers });
        expect(outcome).to.include({ kind: 'failed', flag: 'TLS_FAILURE' }).and.not.have.any.keys('at', 'unsent');
        if (outcome.kind === 'failed')
          expect(outcome.error.message).to.match(
            /^TLS with .*:80 behind gateway 127\.0\.0\.1:\d+ failed \(unexpected-identity\)/,
          );
        expect(bed.far.requests).to.deep.equal([]);
        await atRest(bed);
      });
    }

    it('is refused by a far end that does not know the caller’s trust domain', async () => {
      const other = identity('bank', 'client', 'other.domain');
      const certificate = await certificateOf(await authorities(), other, { uris: [other] });
      await using bed = await openNestedBed({
        engine: create(),
        innerCertificates: { get: () => Promise.resolve(certificate) },
      });
      expect(await bed.dial()).to.include({ kind: 'failed', flag: 'H2_HANDSHAKE_FAILURE' });
      expect(bed.far.failures.map(({ reason }) => reason)).to.deep.equal(['other-trust-domain']);
      await atRest(bed);
    });

    it('tells whose refusal it was, the gateway’s or the far end’s', async () => {
      await using shut = await openNestedBed({ engine: create(), gateway: { onConnect: (incoming) => incoming.refuse(503) } });
      expect(await shut.dial()).to.deep.equal({ kind: 'refused', status: 503, peer: gateway, at: 'gateway' });
      await using denied = await openNestedBed({ engine: create(), far: { onConnect: (incoming) => incoming.refuse(401) } });
      expect(await denied.dial()).to.deep.equal({ kind: 'refused', status: 401, peer: server });
      await atRest(denied);
    });

    it('fails when the gateway leads nowhere', async () => {
      await using bed = await openNestedBed({
        engine: create(),
        gateway: { onConnect: (incoming) => incoming.accept({}).end() },
      });
      expect(await bed.dial())
        .to.include({ kind: 'failed', flag: 'TLS_FAILURE' })
        .and.not.have.property('at');
    });

    it('gives up a handshake that does not end in time', async () => {
      await using bed = await openNestedBed({
        engine: create(),
        gateway: { onConnect: (incoming) => incoming.accept({}).resume() },
      });
      const outcome = await bed.dial();
      expect(outcome).to.include({ kind: 'failed', flag: 'TLS_FAILURE' });
      if (outcome.kind === 'failed') expect(outcome.error.message).to.include('no end of the handshake within 2000 ms');
    });

    it('is given up with its caller at any moment', async () => {
      for (const stop of ['before', 'meanwhile'] as const) {
        await using bed = await openNestedBed({
          engine: create(),
          far: { onConnect: () => controller.abort(new Error('enough')) },
        });
        const controller = new AbortController();
        if (stop === 'before') controller.abort(new Error('enough'));
        expect(await bed.dial({}, controller.signal)).to.include({ kind: 'failed' });
        await until(() => bed.far.acceptor.sessionCount === 0, 'inner tunnel closed');
      }
    });

    it('leaves nothing behind after a hundred', async () => {
      await using bed = await openNestedBed({ engine: create() });
      for (let round = 0; round < 10; round += 1) {
        const streams = (await Promise.all(Array.from({ length: 10 }, () => bed.dial()))).map(streamOf);
        await Promise.all(
          streams.map(async (stream, index) => {
            if (index % 2 === 0) return void stream.destroy();
            stream.end('x');
            await readAll(stream);
          }),
        );
      }
      await atRest(bed);
      await until(() => bed.far.sockets.every((socket) => socket.destroyed), 'the gateway’s connections closed');
    });
  });
}
