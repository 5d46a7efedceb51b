import { expect } from 'chai';
import { describe, it } from 'mocha';
import { constants } from 'node:http2';
import { closeStream } from '../../../src/net/close-stream.ts';
import { ConnectionReset } from '../../../src/tunnel/connection-reset.ts';
import { PeerRevoked } from '../../../src/tunnel/peer-revoked.ts';
import { bounded, event, until } from '../bounded.ts';
import { never, openRig, readAll, request } from './rig.ts';
import type { CreateEngine } from './rig.ts';

/** N1–N3 and N6: how streams begin, end and break, client against server. */
export function describeStreams(create: CreateEngine): void {
  describe('requests', () => {
    it('carries method, authority and the four headers, and brings the baggage of the answer back', async () => {
      await using rig = await openRig(create);
      const headers = {
        baggage: 'k8s.cluster.name=c,service.name=app',
        forwarded: 'for="10.0.0.9:1234";host=svc.bank.svc.cluster.local',
        traceparent: '00-2386bc7b5c9cd0c58f7086161f3407dd-43307e7129c3c069-00',
        xForwardedNetwork: 'net-1',
      };
      const opening = rig.client.open({ authority: '10.0.0.1:8080', headers }, never);
      const incoming = await rig.next();
      expect(incoming).to.include({ method: 'CONNECT', authority: '10.0.0.1:8080' });
      expect(incoming.headers).to.deep.equal(headers);
      incoming.accept({ baggage: 'service.name=server' });
      expect(await bounded(opening, 'response')).to.include({ kind: 'open', baggage: 'service.name=server' });
    });

    it('sends no header that is absent', async () => {
      await using rig = await openRig(create);
      const opening = rig.client.open(request, never);
      const incoming = await rig.next();
      expect(incoming.headers).to.deep.equal({});
      incoming.accept({});
      expect(await bounded(opening, 'response')).to.not.have.property('baggage');
    });

    for (const status of [400, 401, 421, 503] as const) {
      it(`answers ${status} without a stream`, async () => {
        await using rig = await openRig(create);
        const opening = rig.client.open(request, never);
        (await rig.next()).refuse(status);
        expect(await bounded(opening, 'response')).to.deep.equal({ kind: 'refused', status });
        await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
      });
    }

    it('does not accept a second answer', async () => {
      await using rig = await openRig(create);
      void rig.client.open(request, never);
      const incoming = await rig.next();
      incoming.refuse(503);
      expect(() => incoming.accept({})).to.throw(/answered already/);
    });

    it('refuses an authority that cannot be a header value, without harm to the connection', async () => {
      await using rig = await openRig(create);
      const response = await rig.client.open({ authority: 'a\r\nb: c', headers: {} }, never);
      expect(response.kind).to.equal('failed');
      await rig.stream();
    });

    it('aborts `gone` and frees the stream when the client gives up before the answer', async () => {
      await using rig = await openRig(create);
      const abort = new AbortController();
      const opening = rig.client.open(request, abort.signal);
      const incoming = await rig.next();
      abort.abort();
      expect(await bounded(opening, 'response')).to.include({ kind: 'failed', unprocessed: false });
      await until(() => incoming.gone.aborted && rig.server.activeStreams === 0, 'gone');
      expect(incoming.accept({}).destroyed).to.equal(true);
    });

    it('says that a request was never sent when the session is closed', async () => {
      await using rig = await openRig(create);
      rig.client.drain();
      expect(await rig.client.open(request, never)).to.include({ kind: 'failed', unprocessed: true });
    });
  });

  describe('half-close (N1)', () => {
    it('goes on reading after the client ended', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      near.end('question');
      expect(String(await readAll(far))).to.equal('question');
      far.end('answer');
      expect(String(await readAll(near))).to.equal('answer');
      await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
    });

    it('goes on writing after the server ended', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      far.end('greeting');
      expect(String(await readAll(near))).to.equal('greeting');
      near.write('more');
      near.end(' and more');
      expect(String(await readAll(far))).to.equal('more and more');
    });

    it('ends without a byte in either direction', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      near.end();
      far.end();
      const read = await Promise.all([readAll(near), readAll(far)]);
      expect(read.map((bytes) => bytes.length)).to.deep.equal([0, 0]);
    });
  });

  describe('resets (N2, N3)', () => {
    for (const from of ['client', 'server'] as const) {
      it(`reads destroy() of the ${from}'s stream as the end, after what was sent`, async () => {
        await using rig = await openRig(create);
        const { near, far } = await rig.stream();
        const [cut, other] = from === 'client' ? [near, far] : [far, near];
        cut.write('xyz');
        const first = event(other, 'data');
        await first;
        let finished = false;
        other.once('finish', () => (finished = true));
        const closed = event(other, 'close');
        cut.destroy(new Error('with an error or without'));
        await closed;
        expect(other.readableEnded).to.equal(true);
        expect(other.errored ?? undefined).to.equal(undefined);
        expect(finished, 'finish claims that all arrived').to.equal(false);
        expect(Reflect.get(other, 'rstCode')).to.equal(constants.NGHTTP2_CANCEL);
        await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
      });
    }

    it('keeps what arrived before a reset for a slow reader, and discards what it writes meanwhile', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      const payload = Buffer.alloc(300_000, 7);
      far.write(payload);
      await until(() => near.readableLength > 0, 'first bytes');
      await until(() => far.writableLength === 0, 'all sent');
      const aborted = event(near, 'aborted');
      far.destroy();
      await aborted;
      expect(near.destroyed).to.equal(false);
      near.write('into the void');
      expect(await readAll(near)).to.deep.equal(payload);
      await until(() => near.destroyed, 'closed');
    });

    it('gives the same to a reader who already ended its own side', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      near.end();
      await readAll(far);
      far.write('last words');
      await until(() => near.readableLength > 0, 'first bytes');
      far.destroy();
      await until(() => Reflect.get(near, 'rstCode') === constants.NGHTTP2_CANCEL, 'reset');
      expect(String(await readAll(near))).to.equal('last words');
    });

    it('lets the owner destroy a stream that still has something to read', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      far.write('unread');
      await until(() => near.readableLength > 0, 'first bytes');
      const aborted = event(near, 'aborted');
      far.destroy();
      await aborted;
      near.destroy();
      await event(near, 'close');
      await until(() => rig.client.activeStreams === 0, 'no stream left');
    });

    it('survives a write after the reset that nobody listened for', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      far.destroy();
      for (let i = 0; i < 50 && !near.destroyed; i++) {
        near.write('x'.repeat(1000));
        await new Promise((resolve) => setImmediate(resolve));
      }
      near.resume();
      await until(() => near.destroyed, 'closed');
      await rig.stream();
    });
  });

  describe('resetAndDestroy (N7)', () => {
    for (const side of ['near', 'far'] as const) {
      it(`of the ${side} end fails the other one with a ConnectionReset`, async () => {
        await using rig = await openRig(create);
        const streams = await rig.stream();
        const [resetting, other] = side === 'near' ? [streams.near, streams.far] : [streams.far, streams.near];
        other.resume();
        const error = event(other, 'error');
        closeStream(resetting, 'reset');
        expect(await error)
          .to.be.instanceOf(ConnectionReset)
          .with.property('code', 'ECONNRESET');
        await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
        await rig.stream();
      });
    }
  });

  describe('the end of the connection (N6)', () => {
    for (const side of ['client', 'server'] as const) {
      it(`destroys the ${side}'s streams with an error when the connection breaks`, async () => {
        await using rig = await openRig(create);
        const { near, far } = await rig.stream();
        const [kept, lost] = side === 'client' ? [near, rig.transports.server] : [far, rig.transports.client];
        const error = event(kept, 'error');
        kept.resume();
        lost.destroy();
        expect(await error).to.be.instanceOf(Error);
        const session = side === 'client' ? rig.client : rig.server;
        expect((await bounded(session.closed, 'closed')).reason).to.equal('connection-lost');
        expect(session.activeStreams).to.equal(0);
      });
    }

    for (const side of ['client', 'server'] as const) {
      it(`says to streams of the ${side} that its peer was revoked`, async () => {
        await using rig = await openRig(create);
        const { near, far } = await rig.stream();
        const stream = side === 'client' ? near : far;
        const error = event(stream, 'error');
        stream.resume();
        rig[side].destroy(new PeerRevoked());
        expect(await error).to.be.instanceOf(PeerRevoked);
      });
    }

    for (const cause of ['GOAWAY', 'loss'] as const) {
      it(`still gives a slow reader what arrived complete before ${cause}`, async () => {
        await using rig = await openRig(create);
        const { near, far } = await rig.stream();
        const payload = Buffer.alloc(200_000, 9);
        near.end();
        await readAll(far);
        far.end(payload);
        await until(() => near.readableLength > 0, 'first bytes');
        await until(() => far.destroyed, 'all sent');
        // The answer to a later request comes behind all of it.
        await rig.stream();
        rig.server.destroy();
        if (cause === 'loss') {
          rig.transports.client.destroy();
          await bounded(rig.client.closed, 'closed');
        }
        expect(await readAll(near)).to.deep.equal(payload);
        expect(near.errored ?? undefined).to.equal(undefined);
        await bounded(rig.client.closed, 'closed');
      });
    }
  });
}
