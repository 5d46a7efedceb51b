import { expect } from 'chai';
import { describe, it } from 'mocha';
import { bounded, event, until } from '../bounded.ts';
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PING,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  connectBlock,
  frame,
  headerBlock,
  readSettings,
  settings,
  u32,
} from '../raw-frames.ts';
import { connectForeign } from './foreign.ts';
import { never, readAll, request } from './rig.ts';
import type { CreateEngine } from './rig.ts';

const ok = headerBlock([':status', '200']);

/** The engine as client towards a server of frames. */
export function describeForeignServers(create: CreateEngine): void {
  describe('as client, frame by frame', () => {
    it('starts as upstream does: preface, settings, connection window, then the request', async () => {
      await using rig = await connectForeign(create);
      void rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      const [first, second] = rig.peer.frames;
      expect([first?.type, second?.type]).to.deep.equal([SETTINGS, WINDOW_UPDATE]);
      expect(readSettings(first!).toSorted(([a], [b]) => a - b)).to.deep.equal([
        [2, 0],
        [4, 4_194_304],
        [5, 1_048_576],
        [6, 16_384],
      ]);
      expect([second?.stream, second?.payload.readUInt32BE(0)]).to.deep.equal([0, 16_711_681]);
    });

    it('passes over informational answers', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, headerBlock([':status', '103'])), frame(HEADERS, END_HEADERS, 1, ok));
      expect((await bounded(opening, 'response')).kind).to.equal('open');
    });

    it('opens a stream that is already over', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, ok));
      const response = await bounded(opening, 'response');
      expect(response.kind).to.equal('open');
      if (response.kind === 'open') expect((await readAll(response.stream)).length).to.equal(0);
    });

    it('reads answer, bytes and RST_STREAM CANCEL that come in one piece', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      const bytes = Buffer.from('xyz');
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, ok), frame(DATA, 0, 1, bytes), frame(RST_STREAM, 0, 1, u32(8)));
      const response = await bounded(opening, 'response');
      expect(response.kind).to.equal('open');
      if (response.kind === 'open') expect(String(await readAll(response.stream))).to.equal('xyz');
    });

    for (const [name, code, unprocessed] of [
      ['REFUSED_STREAM', 7, true],
      ['CANCEL', 8, false],
      ['NO_ERROR', 0, false],
      ['INTERNAL_ERROR', 2, false],
    ] as const) {
      it(`takes RST_STREAM ${name} before an answer as a failure, ${unprocessed ? 'safe' : 'not safe'} to repeat`, async () => {
        await using rig = await connectForeign(create);
        const opening = rig.client.open(request, never);
        await rig.peer.take(HEADERS, 1);
        rig.peer.send(frame(RST_STREAM, 0, 1, u32(code)));
        const response = await bounded(opening, 'response');
        expect(response).to.include({ kind: 'failed', unprocessed });
        expect(String((response as { error: Error }).error)).to.include(name);
        await until(() => rig.client.activeStreams === 0, 'no stream left');
        expect(rig.client.usable).to.equal(true);
      });
    }

    it('takes the peer’s limit of streams', async () => {
      await using rig = await connectForeign(create);
      expect(rig.client.peerMaxStreams).to.equal(Infinity);
      rig.peer.send(settings([3, 4]));
      await until(() => rig.client.peerMaxStreams === 4, 'SETTINGS');
    });

    it('opens no stream after GOAWAY NO_ERROR, finishes those below its last id, and tells which were not processed', async () => {
      await using rig = await connectForeign(create);
      const first = rig.client.open(request, never);
      const second = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 3);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, ok), frame(GOAWAY, 0, 0, u32(1, 0)));
      expect(await bounded(second, 'second')).to.include({ kind: 'failed', unprocessed: true });
      expect(rig.client.usable).to.equal(false);
      const response = await bounded(first, 'first');
      if (response.kind !== 'open') throw new Error('not open');
      rig.peer.send(frame(DATA, END_STREAM, 1, Buffer.from('rest')));
      expect(String(await readAll(response.stream))).to.equal('rest');
      response.stream.end();
      expect((await bounded(rig.client.closed, 'closed')).reason).to.equal('peer-goaway');
    });

    it('ends with the reason of a GOAWAY that carries an error', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(GOAWAY, 0, 0, u32(0, 11)));
      expect((await bounded(opening, 'response')).kind).to.equal('failed');
      expect(await bounded(rig.client.closed, 'closed')).to.deep.equal({
        reason: 'peer-error',
        detail: 'GOAWAY ENHANCE_YOUR_CALM',
      });
    });

    it('sends RST_STREAM CANCEL when the request is given up', async () => {
      await using rig = await connectForeign(create);
      const abort = new AbortController();
      void rig.client.open(request, abort.signal);
      await rig.peer.take(HEADERS, 1);
      abort.abort();
      expect((await rig.peer.take(RST_STREAM, 1)).payload.readUInt32BE(0)).to.equal(8);
    });

    it('drops a connection whose ping stays unanswered for 20 s', async () => {
      await using rig = await connectForeign(create);
      rig.peer.send(settings([3, 7]));
      await until(() => rig.client.peerMaxStreams === 7, 'SETTINGS');
      rig.clock.advance(10_000);
      expect((await rig.peer.take(PING)).flags).to.equal(0);
      rig.clock.advance(19_999);
      expect(rig.client.usable).to.equal(true);
      rig.clock.advance(1);
      expect(rig.client.usable).to.equal(false);
      expect((await bounded(rig.client.closed, 'closed')).reason).to.equal('ping-timeout');
    });

    it('does not wait longer than 10 s for SETTINGS', async () => {
      await using rig = await connectForeign(create, { greet: false });
      rig.clock.advance(10_000);
      expect((await bounded(rig.client.closed, 'closed')).reason).to.equal('slow-peer');
    });

    for (const [what, bytes] of [
      ['HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')],
      ['zeros', Buffer.alloc(4096)],
      ['0xff', Buffer.alloc(4096, 0xff)],
      ['a frame longer than agreed', Buffer.concat([settings(), frame(DATA, 0, 1, Buffer.alloc(2 * 1024 * 1024))])],
      ['DATA on stream 0', Buffer.concat([settings(), frame(DATA, 0, 0, Buffer.from('x'))])],
      ['DATA on a stream nobody opened', Buffer.concat([settings(), frame(DATA, 0, 7, Buffer.from('x'))])],
      ['a request of the server’s own', Buffer.concat([settings(), frame(HEADERS, END_HEADERS, 2, connectBlock())])],
      ['a broken header block', Buffer.concat([settings(), frame(HEADERS, END_HEADERS, 1, Buffer.alloc(20, 0xff))])],
      ['a window above 2^31-1', Buffer.concat([settings(), frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff))])],
    ] as const) {
      it(`survives ${what} (N5)`, async () => {
        await using rig = await connectForeign(create, { greet: false });
        const opening = rig.client.open(request, never);
        await rig.peer.take(HEADERS, 1);
        rig.peer.send(bytes);
        expect((await bounded(rig.client.closed, 'closed')).reason).to.equal('protocol-violation');
        expect((await bounded(opening, 'response')).kind).to.equal('failed');
      });
    }

    it('ends a connection on which the server pushes (N5)', async () => {
      await using rig = await connectForeign(create);
      void rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      const push = Buffer.concat([
        u32(2),
        headerBlock([':method', 'GET'], [':scheme', 'https'], [':authority', 'a'], [':path', '/']),
      ]);
      rig.peer.send(frame(SETTINGS, ACK, 0), frame(PUSH_PROMISE, END_HEADERS, 1, push));
      expect((await bounded(rig.client.closed, 'closed')).reason).to.equal('protocol-violation');
    });

    it('refuses a push that comes before the server has read that there is none', async () => {
      await using rig = await connectForeign(create);
      void rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      const push = Buffer.concat([
        u32(2),
        headerBlock([':method', 'GET'], [':scheme', 'https'], [':authority', 'a'], [':path', '/']),
      ]);
      rig.peer.send(frame(PUSH_PROMISE, END_HEADERS, 1, push));
      expect((await rig.peer.take(RST_STREAM, 2)).payload.readUInt32BE(0)).to.be.oneOf([7, 8]);
    });

    it('fails a request whose answer has more headers than agreed', async () => {
      await using rig = await connectForeign(create);
      await rig.peer.take(SETTINGS);
      // The limit holds from the acknowledgement on (RFC 9113 section 6.5.3).
      rig.peer.send(frame(SETTINGS, ACK, 0), settings([3, 7]));
      await until(() => rig.client.peerMaxStreams === 7, 'SETTINGS');
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      const headers = Array.from({ length: 20 }, (_, i) => [`x-${i}`, 'y'.repeat(1000)] as const);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, headerBlock([':status', '200'], ...headers)));
      expect((await bounded(opening, 'response')).kind).to.equal('failed');
    });

    it('fails a request whose answer is malformed', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, headerBlock([':status', 'nonsense'], ['Upper', 'x'])));
      expect((await bounded(opening, 'response')).kind).to.equal('failed');
    });

    it('takes an answer with another status as a refusal', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, headerBlock([':status', '502'])));
      expect(await bounded(opening, 'response')).to.deep.equal({ kind: 'refused', status: 502 });
      expect((await rig.peer.take(RST_STREAM, 1)).payload.readUInt32BE(0)).to.equal(8);
    });

    it('reads RST_STREAM INTERNAL_ERROR of an open stream as an error (N2)', async () => {
      await using rig = await connectForeign(create);
      const opening = rig.client.open(request, never);
      await rig.peer.take(HEADERS, 1);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, ok));
      const response = await bounded(opening, 'response');
      if (response.kind !== 'open') throw new Error('not open');
      const failed = event(response.stream, 'error');
      rig.peer.send(frame(RST_STREAM, 0, 1, u32(2)));
      expect(String(await failed)).to.include('INTERNAL_ERROR');
    });
  });
}
