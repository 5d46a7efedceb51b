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
import { serveForeign } from './foreign.ts';
import { lingerMs, readAll } from './rig.ts';
import type { CreateEngine } from './rig.ts';

/** One byte of HPACK each: `:status: 200` and `:status: 400` of the static table (RFC 7541 appendix A). */
const status200 = 0x88;
const status400 = 0x8c;

const open = (stream: number, ...rest: Parameters<typeof connectBlock>): Buffer =>
  frame(HEADERS, END_HEADERS, stream, connectBlock(...rest));

/** The engine as server towards a client of frames. */
export function describeForeignClients(create: CreateEngine): void {
  describe('as server, frame by frame', () => {
    it('sends the settings of section 2.3 and opens the connection window', async () => {
      await using rig = await serveForeign(create);
      expect(readSettings(await rig.peer.take(SETTINGS)).toSorted(([a], [b]) => a - b)).to.deep.equal([
        [3, 200],
        [4, 4_194_304],
        [5, 1_048_576],
        [6, 65_536],
      ]);
      const update = await rig.peer.take(WINDOW_UPDATE);
      expect([update.stream, update.payload.readUInt32BE(0)]).to.deep.equal([0, 16_711_681]);
    });

    it('answers nothing before the client’s preface', async () => {
      await using rig = await serveForeign(create, { greet: false });
      rig.peer.send(frame(PING, 0, 0, Buffer.alloc(8)));
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('protocol-violation');
      expect(rig.peer.frames.filter(({ type, flags }) => type === PING && flags === ACK)).to.deep.equal([]);
    });

    it('tunnels a CONNECT: 200, bytes both ways, END_STREAM both ways', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1, '10.0.0.1:80', ['baggage', 'a=b']), frame(DATA, 0, 1, Buffer.from('ping')));
      const incoming = await rig.next();
      expect(incoming).to.include({ method: 'CONNECT', authority: '10.0.0.1:80' });
      expect(incoming.headers).to.deep.equal({ baggage: 'a=b' });
      const stream = incoming.accept({});
      expect((await rig.peer.take(HEADERS, 1)).payload).to.deep.equal(Buffer.from([status200]));
      expect(String(await event(stream, 'data'))).to.equal('ping');
      stream.write('pong');
      expect(String((await rig.peer.take(DATA, 1)).payload)).to.equal('pong');
      const ended = event(stream, 'end');
      rig.peer.send(frame(DATA, END_STREAM, 1));
      await ended;
      stream.end();
      expect((await rig.peer.take(DATA, 1)).flags).to.equal(END_STREAM);
    });

    it('joins several baggage headers', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1, 'a:1', ['baggage', 'a=b'], ['baggage', 'c=d']));
      expect((await rig.next()).headers.baggage?.replaceAll(' ', '')).to.equal('a=b,c=d');
    });

    it('brings requests that are no CONNECT, so that they can be answered', async () => {
      await using rig = await serveForeign(create);
      const block = headerBlock([':method', 'GET'], [':scheme', 'https'], [':authority', 'a'], [':path', '/']);
      rig.peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
      const incoming = await rig.next();
      expect(incoming.method).to.equal('GET');
      incoming.refuse(400);
      const answer = await rig.peer.take(HEADERS, 1);
      expect([answer.payload[0], answer.flags]).to.deep.equal([status400, END_HEADERS | END_STREAM]);
    });

    for (const [name, code] of [
      ['NO_ERROR', 0],
      ['CANCEL', 8],
    ] as const) {
      it(`reads RST_STREAM ${name} as the end (N2)`, async () => {
        await using rig = await serveForeign(create);
        rig.peer.send(open(1));
        const stream = (await rig.next()).accept({});
        const closed = event(stream, 'close');
        rig.peer.send(frame(DATA, 0, 1, Buffer.from('xyz')), frame(RST_STREAM, 0, 1, u32(code)));
        expect(String(await readAll(stream))).to.equal('xyz');
        await closed;
        expect(stream.errored ?? undefined).to.equal(undefined);
      });
    }

    for (const [name, code] of [
      ['INTERNAL_ERROR', 2],
      ['PROTOCOL_ERROR', 1],
    ] as const) {
      it(`reads RST_STREAM ${name} as an error (N2)`, async () => {
        await using rig = await serveForeign(create);
        rig.peer.send(open(1));
        const stream = (await rig.next()).accept({});
        const failed = event(stream, 'error');
        stream.resume();
        rig.peer.send(frame(RST_STREAM, 0, 1, u32(code)));
        expect(await failed).to.be.instanceOf(Error);
      });
    }

    it('aborts `gone` on a reset before the answer', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      const { gone } = await rig.next();
      rig.peer.send(frame(RST_STREAM, 0, 1, u32(8)));
      await until(() => gone.aborted && rig.server.activeStreams === 0, 'gone');
    });

    for (const [what, error] of [
      ['without an error', undefined],
      ['with an error', new Error('x')],
    ] as const) {
      it(`sends RST_STREAM CANCEL for destroy() ${what} (N3)`, async () => {
        await using rig = await serveForeign(create);
        rig.peer.send(open(1));
        const stream = (await rig.next()).accept({});
        await rig.peer.take(HEADERS, 1);
        stream.destroy(error);
        expect((await rig.peer.take(RST_STREAM, 1)).payload.readUInt32BE(0)).to.equal(8);
        expect(rig.peer.frames.filter(({ type }) => type === DATA)).to.deep.equal([]);
      });
    }

    it('answers pings', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(frame(PING, 0, 0, Buffer.from('abcdefgh')));
      const pong = await rig.peer.take(PING);
      expect([pong.flags, String(pong.payload)]).to.deep.equal([ACK, 'abcdefgh']);
    });

    it('pings after 10 s, and again 10 s after the answer', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      await rig.next();
      rig.clock.advance(9_999);
      rig.clock.advance(1);
      const ping = await rig.peer.take(PING);
      expect(ping.flags).to.equal(0);
      rig.peer.send(frame(PING, ACK, 0, ping.payload));
      await until(() => rig.clock.nextTimerMs === 10_000, 'pong');
      rig.clock.advance(10_000);
      await rig.peer.take(PING);
    });

    it('ends a connection whose ping stays unanswered for 20 s with GOAWAY NO_ERROR', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      const stream = (await rig.next()).accept({});
      const failed = event(stream, 'error');
      rig.clock.advance(10_000);
      await rig.peer.take(PING);
      rig.clock.advance(20_000);
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('ping-timeout');
      await failed;
      expect((await rig.peer.take(GOAWAY)).payload).to.deep.equal(u32(1, 0));
    });

    it('drains with a GOAWAY that names the last stream, and lets that one finish', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      const stream = (await rig.next()).accept({});
      rig.server.drain();
      expect((await rig.peer.take(GOAWAY)).payload).to.deep.equal(u32(1, 0));
      rig.peer.send(open(3), frame(DATA, END_STREAM, 1, Buffer.from('late')));
      expect(String(await readAll(stream))).to.equal('late');
      stream.end('bye');
      expect(String((await rig.peer.take(DATA, 1)).payload)).to.equal('bye');
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('closed');
      expect(rig.incoming.length).to.equal(1);
    });

    it('closes a transport that the peer does not let go', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(open(1));
      await rig.next();
      rig.peer.transport.pause();
      rig.server.destroy();
      rig.clock.advance(lingerMs);
      expect((await bounded(rig.server.closed, 'closed')).reason).to.equal('closed');
      expect(rig.transport.destroyed).to.equal(true);
    });

    it('refuses the stream above the limit, and goes on', async () => {
      await using rig = await serveForeign(create);
      rig.peer.send(...Array.from({ length: 201 }, (_, i) => open(2 * i + 1)));
      expect((await rig.peer.take(RST_STREAM)).payload.readUInt32BE(0)).to.equal(7);
      expect(rig.incoming.length).to.equal(200);
    });

    it('obeys the window and the frame size of the peer', async () => {
      await using rig = await serveForeign(create, { greet: false });
      const { preface } = await import('../raw-frames.ts');
      rig.peer.send(preface, settings([4, 10]), open(1));
      const stream = (await rig.next()).accept({});
      stream.write('0123456789abcdef');
      expect(String((await rig.peer.take(DATA, 1)).payload)).to.equal('0123456789');
      rig.peer.send(frame(WINDOW_UPDATE, 0, 1, u32(100)));
      expect(String((await rig.peer.take(DATA, 1)).payload)).to.equal('abcdef');
    });
  });
}
