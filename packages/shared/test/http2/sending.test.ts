import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ReceiveWindow, SendWindow } from '../../src/http2/flow-window.ts';
import { Outbox, Slabs, slabBytes } from '../../src/http2/outbox.ts';
import type { Http2Stream } from '../../src/http2/stream.ts';
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  HEADERS,
  WINDOW_UPDATE,
  frame,
  framesIn,
  settings,
  u32,
} from '../tunnel/raw-frames.ts';
import { ConnectionRig } from './rig.ts';
import type { Heard } from './rig.ts';

const KIB = 1024;

/** A server with accepted streams, and windows as wide as told. */
function accepted(
  count: number,
  window: number,
  connectionWindow = window,
): { rig: ConnectionRig; streams: { stream: Http2Stream; heard: Heard }[] } {
  const rig = ConnectionRig.greeted({ role: 'server' });
  rig.recv(
    settings([4, window]),
    ...(connectionWindow > 65_535 ? [frame(WINDOW_UPDATE, 0, 0, u32(connectionWindow - 65_535))] : []),
  );
  const streams = rig.openedByPeer(...Array.from({ length: count }, (_, i) => 2 * i + 1));
  rig.sent();
  return { rig, streams };
}

const lengths = (rig: ConnectionRig): number[] =>
  rig
    .sent()
    .filter(({ type }) => type === DATA)
    .map(({ payload }) => payload.length);

describe('sending', () => {
  it('goes as far as the window of the stream, and on when it grows (section 6.9)', () => {
    const { rig, streams } = accepted(1, 10);
    const [{ stream, heard }] = streams as [(typeof streams)[0]];
    const bytes = Buffer.alloc(25);
    expect(rig.connection.sendData(stream, bytes, 0)).to.equal(10);
    heard.onCapacity = () => heard.events.push(`sent ${rig.connection.sendData(stream, bytes, 10)}`);
    rig.recv(frame(WINDOW_UPDATE, 0, 1, u32(8)));
    expect(heard.events).to.deep.equal(['sent 8']);
    expect(lengths(rig)).to.deep.equal([10, 8]);
  });

  it('waits below zero after the peer made windows smaller (section 6.9.2)', () => {
    const { rig, streams } = accepted(1, 100);
    const [{ stream, heard }] = streams as [(typeof streams)[0]];
    let sent = rig.connection.sendData(stream, Buffer.alloc(200), 0);
    heard.onCapacity = () => (sent += rig.connection.sendData(stream, Buffer.alloc(200), sent));
    rig.recv(settings([4, 30]), frame(WINDOW_UPDATE, 0, 1, u32(70)));
    expect(sent).to.equal(100);
    rig.recv(frame(WINDOW_UPDATE, 0, 1, u32(1)));
    expect(sent).to.equal(101);
  });

  it('tells who asked for room in the outbox once there is some', () => {
    const { rig, streams } = accepted(1, 1_000_000);
    const [{ stream, heard }] = streams as [(typeof streams)[0]];
    heard.onCapacity = () => heard.events.push(`room for 60 KiB: ${rig.connection.hasRoom(stream, 60 * KIB)}`);
    expect(rig.connection.hasRoom(stream, 60 * KIB)).to.equal(true);
    rig.connection.sendData(stream, Buffer.alloc(20 * KIB), 0);
    expect(rig.connection.hasRoom(stream, 60 * KIB)).to.equal(false);
    expect(heard.events).to.deep.equal([]);
    rig.sent();
    expect(heard.events).to.deep.equal(['room for 60 KiB: true']);
    rig.connection.reset(stream, 8);
    expect(rig.connection.hasRoom(stream, 1_000_000), 'of a stream that is over').to.equal(true);
  });

  it('goes as far as the window of the connection, whose growth all hear of that wait', () => {
    const { rig, streams } = accepted(2, 100_000, 65_535);
    const sent = streams.map(({ stream, heard }) => {
      const bytes = Buffer.alloc(50_000);
      const state = { count: rig.connection.sendData(stream, bytes, 0) };
      heard.onCapacity = () => (state.count += rig.connection.sendData(stream, bytes, state.count));
      return state;
    });
    for (let i = 0; i < 5; i++) rig.sent();
    expect(sent.map(({ count }) => count)).to.deep.equal([50_000, 15_535]);
    rig.recv(frame(WINDOW_UPDATE, 0, 0, u32(100_000)));
    expect(sent.map(({ count }) => count)).to.deep.equal([50_000, 50_000]);
  });

  it('cuts data to the frame size of the peer, and large header blocks too (sections 4.2 and 6.10)', () => {
    const { rig, streams } = accepted(1, 1_000_000);
    const [{ stream }] = streams as [(typeof streams)[0]];
    rig.connection.answer(stream, [':status', '200', 'baggage', 'x'.repeat(40_000)], false);
    rig.connection.sendData(stream, Buffer.alloc(20_000), 0);
    const frames = rig.sent();
    expect(frames.map(({ type, payload }) => [type, payload.length])).to.deep.equal([
      [HEADERS, 16_384],
      [CONTINUATION, 16_384],
      [CONTINUATION, frames[2]?.payload.length],
      [DATA, 16_384],
      [DATA, 3_616],
    ]);
    expect(frames.map(({ flags }) => flags)).to.deep.equal([0, 0, END_HEADERS, 0, 0]);
  });

  it('never holds more data than a slab, and goes on after each write', () => {
    const { rig, streams } = accepted(1, 10_000_000);
    const [{ stream, heard }] = streams as [(typeof streams)[0]];
    const bytes = Buffer.alloc(1_000_000);
    let sent = rig.connection.sendData(stream, bytes, 0);
    heard.onCapacity = () => (sent += rig.connection.sendData(stream, bytes, sent));
    let writes = 0;
    for (; sent < bytes.length; writes++) {
      expect(rig.connection.outbox.length).to.be.within(slabBytes - 4 * KIB, slabBytes);
      rig.sent();
    }
    expect(writes).to.be.within(13, 16);
  });

  it('lets those who wait go on in turn: a small answer is not held up by a large one (S2)', () => {
    const { rig, streams } = accepted(3, 10_000_000);
    const order: number[] = [];
    for (const { stream, heard } of streams.slice(0, 2)) {
      const bytes = Buffer.alloc(500_000);
      let sent = rig.connection.sendData(stream, bytes, 0);
      heard.onCapacity = () => (sent += rig.connection.sendData(stream, bytes, sent));
    }
    const small = streams[2]!;
    const taken = { bytes: rig.connection.sendData(small.stream, Buffer.alloc(10_000), 0) };
    small.heard.onCapacity = () => {
      taken.bytes += rig.connection.sendData(small.stream, Buffer.alloc(10_000), taken.bytes);
    };
    for (let i = 0; i < 3 && taken.bytes < 10_000; i++) {
      for (const { stream } of rig.sent()) order.push(stream);
    }
    expect(taken.bytes).to.equal(10_000);
    expect(new Set(order)).to.include(1);
  });

  it('ends a stream with an empty frame, whatever the window (section 6.9.1)', () => {
    const { rig, streams } = accepted(1, 0);
    const [{ stream }] = streams as [(typeof streams)[0]];
    rig.connection.sendEnd(stream);
    rig.connection.sendEnd(stream);
    expect(rig.sent().map(({ type, flags }) => [type, flags])).to.deep.equal([[DATA, END_STREAM]]);
  });

  it('sends nothing of a stream that is over, and forgets that it waited', () => {
    const { rig, streams } = accepted(2, 10_000_000);
    const [first, second] = streams as [(typeof streams)[0], (typeof streams)[0]];
    rig.connection.sendData(first.stream, Buffer.alloc(200_000), 0);
    rig.connection.sendData(second.stream, Buffer.alloc(200_000), 0);
    second.heard.onCapacity = () => second.heard.events.push('capacity');
    rig.connection.reset(second.stream, 8);
    for (let i = 0; i < 3; i++) rig.sent();
    expect(second.heard.events).to.deep.equal([]);
    expect(rig.connection.sendData(second.stream, Buffer.alloc(5), 0)).to.equal(5);
    expect(rig.sent()).to.deep.equal([]);
  });
});

describe('flow windows', () => {
  it('give back what was consumed from half the window on, and never less than was consumed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.array(fc.integer({ min: 1, max: 10_000 })), (size, chunks) => {
        const window = new ReceiveWindow(size);
        let left = size;
        for (const chunk of chunks) {
          const bytes = Math.min(chunk, left);
          expect(window.recv(bytes)).to.equal(true);
          left += window.consume(bytes) - bytes;
          // The peer can always send something.
          expect(left).to.be.greaterThan(0);
          expect(left).to.be.at.most(size);
        }
        expect(window.recv(left + 1)).to.equal(false);
      }),
    );
  });

  it('grow to 2^31-1 and no further (section 6.9.1)', () => {
    const window = new SendWindow(65_535);
    expect(window.grow(0x7fffffff - 65_535)).to.equal(true);
    expect(window.grow(1)).to.equal(false);
  });
});

describe('Outbox', () => {
  it('holds no slab while there is nothing to say, and uses one again that was given back (O2, O3)', () => {
    const slabs = new Slabs();
    const outbox = new Outbox(slabs);
    outbox.putHeader(4, 8, 0, 1);
    outbox.putU32(7);
    const { slab, bytes } = outbox.take();
    expect(outbox.take().slab.length).to.equal(0);
    expect(framesIn(bytes).map(({ payload }) => payload.readUInt32BE(0))).to.deep.equal([7]);
    outbox.putHeader(0, 0, 0, 1);
    expect(outbox.take().slab).to.not.equal(slab);
    outbox.giveBack(slab);
    expect(slabs.take()).to.equal(slab);
  });

  it('finds room for frames of control beyond a slab (O1)', () => {
    const outbox = new Outbox(new Slabs());
    for (let i = 0; i < 10_000; i++) {
      outbox.putHeader(4, 8, 0, 1);
      outbox.putU32(i);
    }
    expect(outbox.room).to.equal(0);
    expect(framesIn(outbox.take().bytes).map(({ payload }) => payload.readUInt32BE(0))).to.deep.equal(
      Array.from({ length: 10_000 }, (_, i) => i),
    );
  });
});
