import { expect } from 'chai';
import { describe, it } from 'mocha';
import { bounded, until } from '../bounded.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  GOAWAY,
  HEADERS,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  connectBlock,
  frame,
  headerBlock,
  preface,
  settings,
  u32,
} from '../raw-frames.ts';
import { serveForeign } from './foreign.ts';
import type { ServerUnderTest } from './foreign.ts';
import type { CreateEngine } from './rig.ts';

const open = (stream: number): Buffer => frame(HEADERS, END_HEADERS, stream, connectBlock());

/** Sends until the server ends the connection, or `count` pieces went out. */
async function flood({ peer, server }: ServerUnderTest, count: number, piece: (i: number) => Buffer): Promise<void> {
  const state = { ended: false };
  void server.closed.then(() => (state.ended = true));
  for (let i = 0; i < count && !state.ended && !peer.transport.destroyed; i += 500) {
    peer.send(...Array.from({ length: 500 }, (_, j) => piece(i + j)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** N5: nothing a client does throws, or keeps a connection for long. */
export function describeHostileClients(create: CreateEngine): void {
  describe('hostile clients (N5)', () => {
    for (const [what, bytes] of [
      ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')],
      ['zeros', Buffer.alloc(4096)],
      ['0xff', Buffer.alloc(4096, 0xff)],
      ['a preface and garbage', Buffer.concat([preface, Buffer.alloc(4096, 0xaa)])],
      ['no SETTINGS after the preface', Buffer.concat([preface, open(1)])],
      ['SETTINGS of an odd length', Buffer.concat([preface, frame(SETTINGS, 0, 0, Buffer.alloc(5))])],
      ['a window above 2^31-1', Buffer.concat([preface, settings(), frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff))])],
      ['an even stream id', Buffer.concat([preface, settings(), open(2)])],
      ['DATA on stream 0', Buffer.concat([preface, settings(), frame(DATA, 0, 0, Buffer.from('x'))])],
      ['a broken header block', Buffer.concat([preface, settings(), frame(HEADERS, END_HEADERS, 1, Buffer.alloc(20, 0xff))])],
      ['a frame longer than agreed', Buffer.concat([preface, settings(), frame(DATA, 0, 1, Buffer.alloc(2 * 1024 * 1024))])],
      [
        'another frame within a header block',
        Buffer.concat([preface, settings(), frame(HEADERS, 0, 1, connectBlock()), frame(PING, 0, 0, Buffer.alloc(8))]),
      ],
    ] as const) {
      it(`ends a connection that sends ${what}`, async () => {
        await using rig = await serveForeign(create, { greet: false });
        rig.peer.send(bytes);
        expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('protocol-violation');
        await bounded(rig.peer.closed, 'transport closed');
        expect(rig.clock.pendingTimers).to.equal(0);
        expect(rig.incoming).to.deep.equal([]);
      });
    }

    it('gives a client without a preface 10 s', async () => {
      await using rig = await serveForeign(create, { greet: false });
      rig.peer.send(preface.subarray(0, 10));
      rig.clock.advance(10_000);
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('slow-peer');
    });

    it('gives a client without a request 10 s, even if it keeps talking', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(frame(PING, 0, 0, Buffer.alloc(8)), frame(HEADERS, 0, 1, connectBlock().subarray(0, 3)));
      await rig.peer.take(PING);
      rig.clock.advance(10_000);
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('slow-peer');
      expect(rig.incoming).to.deep.equal([]);
    });

    for (const [what, authority] of [
      ['with a space', 'x y:1'],
      ['with a control character', 'a\nb:1'],
    ] as const) {
      it(`resets a request with an authority ${what}, and goes on`, async () => {
        await using rig = await serveForeign(create);
        rig.peer.send(frame(HEADERS, END_HEADERS, 1, connectBlock(authority)), open(3));
        expect((await rig.peer.take(RST_STREAM, 1)).payload.readUInt32BE(0)).to.equal(1);
        expect((await rig.next()).authority).to.equal('10.0.0.1:80');
      });
    }

    it('resets a request with more headers than agreed, and goes on', async () => {
      await using rig = await serveForeign(create);
      await rig.peer.take(SETTINGS);
      rig.peer.send(frame(SETTINGS, ACK, 0));
      const headers = Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'y'.repeat(2000)] as const);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, connectBlock('a:1', ...headers)));
      await rig.peer.take(RST_STREAM, 1);
      rig.peer.send(open(3));
      await rig.next();
      expect(rig.incoming.length).to.equal(1);
    });

    it('resets a request with too many headers, however short', async () => {
      await using rig = await serveForeign(create);
      const headers = Array.from({ length: 500 }, (_, i) => [`x${i}`, ''] as const);
      rig.peer.send(frame(HEADERS, END_HEADERS, 1, connectBlock('a:1', ...headers)), open(3));
      await rig.peer.take(RST_STREAM, 1);
      expect((await rig.next()).authority).to.equal('10.0.0.1:80');
    });

    it('ends an endless header block (CVE-2024-27983)', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(frame(HEADERS, 0, 1, connectBlock()));
      await flood(rig, 100_000, () => frame(CONTINUATION, 0, 1, headerBlock(['x', 'y'.repeat(100)])));
      expect((await bounded(rig.server.closed, 'closed')).reason).to.be.oneOf(['flood', 'protocol-violation']);
      expect(rig.incoming).to.deep.equal([]);
    });

    it('ends a loop of requests and resets (CVE-2023-44487)', async function () {
      this.timeout(20_000);
      await using rig = await serveForeign(create);
      await flood(rig, 50_000, (i) => Buffer.concat([open(2 * i + 1), frame(RST_STREAM, 0, 2 * i + 1, u32(8))]));
      expect((await bounded(rig.server.closed, 'closed')).reason).to.be.oneOf(['flood', 'protocol-violation']);
      await until(() => rig.server.activeStreams === 0, 'no stream left');
    });

    for (const [what, piece] of [
      ['PING', frame(PING, 0, 0, Buffer.alloc(8))],
      ['SETTINGS', settings([4, 65_535])],
    ] as const) {
      it(`ends a flood of ${what}`, async () => {
        await using rig = await serveForeign(create);
        rig.peer.send(open(1));
        await rig.next();
        await flood(rig, 100_000, () => piece);
        expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('flood');
      });
    }

    it('ends a flood of empty DATA frames (CVE-2019-9518)', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      (await rig.next()).accept({});
      await flood(rig, 100_000, () => frame(DATA, 0, 1));
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('flood');
    });

    it('stops a client that sends more than the window', async () => {
      await using rig = await serveForeign(create);
      await rig.peer.take(SETTINGS);
      rig.peer.send(frame(SETTINGS, ACK, 0), open(1));
      const stream = (await rig.next()).accept({});
      stream.pause();
      await flood(rig, 6_000, () => frame(DATA, 0, 1, Buffer.alloc(1024)));
      const over = await bounded(
        Promise.race([rig.server.closed.then(() => 'session'), rig.peer.take(RST_STREAM).then(() => 'stream')]),
        'stopped',
      );
      expect(over).to.be.oneOf(['session', 'stream']);
      expect(stream.readableLength).to.be.lessThan(5 * 1024 * 1024);
    });

    it('says GOAWAY to whom it ends', async () => {
      await using rig = await serveForeign(create);
      await rig.peer.take(SETTINGS);
      rig.peer.send(open(2));
      expect((await rig.peer.take(GOAWAY)).payload.readUInt32BE(4)).to.equal(1);
    });
  });
}
