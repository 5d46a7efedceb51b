import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { errorCode } from '../../src/http2/error-code.ts';
import {
  ACK,
  CONTINUATION,
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
  settings,
  u32,
} from '../tunnel/raw-frames.ts';
import { ConnectionRig, Heard, PRIORITY, UNKNOWN, brief, client, data, ok, open } from './rig.ts';

const { STREAM_CLOSED, REFUSED_STREAM, ENHANCE_YOUR_CALM: CALM } = errorCode;

describe('what comes for a stream that is over (section 5.1)', () => {
  it('is passed over when this side reset it, and its header blocks are read for their table', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    const [request] = rig.openedByPeer(1);
    rig.connection.reset(request!.stream, 8);
    rig.sent();
    const field = Buffer.concat([Buffer.from([0x40]), headerBlock(['a', 'b']).subarray(1)]);
    rig.recv(
      data(1, 'late'),
      frame(HEADERS, END_HEADERS, 1, field),
      frame(RST_STREAM, 0, 1, u32(8)),
      frame(WINDOW_UPDATE, 0, 1, u32(8)),
    );
    rig.recv(frame(HEADERS, END_HEADERS, 3, Buffer.concat([connectBlock(), Buffer.from([0xbe])])));
    expect(rig.sent()).to.deep.equal([]);
    expect(rig.requests.at(-1)?.fields.slice(-2)).to.deep.equal(['a', 'b']);
  });

  it('is STREAM_CLOSED when it ended in order: of the stream for DATA, of the connection for HEADERS', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    rig.recv(open(1, END_HEADERS | END_STREAM));
    rig.connection.answer(rig.requests[0]!.stream, [':status', '400'], true);
    rig.sent();
    rig.recv(data(1, 'late'));
    expect(brief(rig.sent())).to.deep.equal([[RST_STREAM, 1, STREAM_CLOSED]]);
    rig.openedByPeer(3);
    rig.recv(frame(RST_STREAM, 0, 3, u32(8)), open(3));
    expect(brief(rig.sent()).at(-1)).to.deep.equal([GOAWAY, 0, STREAM_CLOSED]);
  });
});

describe('frames that cost and bring nothing', () => {
  for (const [what, allowed, bytes] of [
    ['PING', { control: 6 }, frame(PING, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', { control: 6 }, settings()],
    ['acknowledgements', { control: 6 }, frame(SETTINGS, ACK, 0)],
    ['empty DATA (CVE-2019-9518)', { useless: 5 }, data(1, '')],
    ['PRIORITY', { useless: 5 }, frame(PRIORITY, 0, 1, Buffer.alloc(5))],
    ['unknown frames', { useless: 5 }, frame(UNKNOWN, 0, 0, Buffer.alloc(100))],
    ['resets of streams that are over', { resets: 5 }, frame(RST_STREAM, 0, 1, u32(8))],
  ] as const) {
    it(`are allowed so often: ${what}`, () => {
      const rig = ConnectionRig.greeted({ role: 'server' }, { ...allowed });
      rig.openedByPeer(1);
      for (let i = 0; i < 5; i++) rig.recv(bytes);
      expect(rig.violation).to.equal(undefined);
      rig.recv(bytes);
      expect(rig.violation?.kind).to.equal('flood');
      expect(brief(rig.sent()).at(-1)).to.deep.equal([GOAWAY, 0, CALM]);
    });
  }

  it('are allowed so often: streams that this side must reset (CVE-2025-8671)', () => {
    const rig = ConnectionRig.greeted({ role: 'server' }, { resets: 5 });
    for (let i = 0; i < 6; i++) rig.recv(open(2 * i + 1), frame(WINDOW_UPDATE, 0, 2 * i + 1, u32(0)));
    expect(rig.violation?.kind).to.equal('flood');
  });

  it('are owed an answer up to a megabyte by who reads nothing', () => {
    const rig = ConnectionRig.greeted({ role: 'server' }, { control: 1e9 });
    for (let i = 0; i < 62_000 && rig.violation === undefined; i++) rig.recv(frame(PING, 0, 0, Buffer.alloc(8)));
    expect(rig.violation).to.deep.equal({ kind: 'flood', detail: 'answers that nobody reads' });
  });
});

describe('a connection', () => {
  it('reads header blocks in parts, with padding and priority (section 6.2)', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    const block = connectBlock();
    const first = Buffer.concat([Buffer.from([3]), Buffer.alloc(5), block.subarray(0, 4), Buffer.alloc(3)]);
    rig.recv(frame(HEADERS, 0x28, 1, first), frame(CONTINUATION, 0, 1, block.subarray(4, 9)));
    rig.recv(frame(CONTINUATION, END_HEADERS, 1, block.subarray(9)));
    expect(rig.requests[0]?.fields).to.deep.equal([':method', 'CONNECT', ':authority', '10.0.0.1:80']);
  });

  it('passes over priorities and unknown frames (sections 5.3.2 and 5.5)', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    rig.recv(frame(PRIORITY, 0, 7, Buffer.alloc(5)), frame(UNKNOWN, 0xff, 9, Buffer.alloc(100)), open(1));
    expect(rig.requests.length).to.equal(1);
    expect(rig.sent()).to.deep.equal([]);
  });

  it('gives back padding with its frame, and the rest once it was read (section 6.9.1)', () => {
    const rig = ConnectionRig.greeted({ role: 'server', streamWindow: 65_535 });
    const [request] = rig.openedByPeer(1);
    const padded = Buffer.concat([Buffer.from([255]), Buffer.alloc(256, 'a'), Buffer.alloc(255)]);
    for (let i = 0; i < 100; i++) rig.recv(frame(DATA, 8, 1, padded));
    expect(rig.sent()).to.deep.equal([]);
    rig.connection.consume(request!.stream, 25_600);
    expect(brief(rig.sent())).to.deep.equal([[WINDOW_UPDATE, 1, 51_200]]);
  });

  it('gives back the connection’s window although nobody reads', () => {
    const rig = ConnectionRig.greeted({ role: 'server', streamWindow: 1_000_000, connectionWindow: 65_535 });
    rig.openedByPeer(1);
    for (let i = 0; i < 10; i++) rig.recv(data(1, 'x'.repeat(16_000)));
    const updates = rig.sent().filter(({ type }) => type === WINDOW_UPDATE);
    expect(updates.every(({ stream }) => stream === 0)).to.equal(true);
    expect(updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)).to.be.greaterThan(100_000);
  });

  it('refuses streams that crossed its GOAWAY, and lets none more in by another (section 6.8)', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    rig.openedByPeer(1);
    rig.connection.goaway();
    rig.recv(open(3), data(3, 'x'), data(1, 'y'));
    rig.connection.goodbye();
    expect(brief(rig.sent())).to.deep.equal([
      [GOAWAY, 0, 0],
      [RST_STREAM, 3, REFUSED_STREAM],
      [GOAWAY, 0, 0],
    ]);
    expect(rig.requests[0]?.heard.events).to.deep.equal(['data y']);
  });

  it('hears of a GOAWAY which streams were not processed, also from a second one (section 6.8)', () => {
    const rig = ConnectionRig.greeted({ role: 'client' });
    const heard = [1, 3, 5].map(() => {
      const each = new Heard();
      rig.connection.open([':method', 'CONNECT', ':authority', 'a:1'], each);
      return each;
    });
    rig.recv(frame(GOAWAY, 0, 0, u32(0x7fffffff, 0)));
    expect(heard.flatMap(({ events }) => events)).to.deep.equal([]);
    rig.recv(frame(GOAWAY, 0, 0, u32(1, 0)));
    expect(heard.map(({ events }) => events)).to.deep.equal([[], ['reset 7'], ['reset 7']]);
    expect(rig.gone).to.deep.equal([0, 0]);
  });

  it('refuses a push that the server made before it knew better, and keeps its table right (section 8.4)', () => {
    const { rig, heard } = client(false);
    const field = Buffer.concat([Buffer.from([0x40]), headerBlock([':status', '200']).subarray(1)]);
    rig.recv(
      frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([u32(2), field])),
      frame(HEADERS, END_HEADERS, 1, Buffer.from([0xbe])),
    );
    expect(brief(rig.sent())).to.deep.equal([[RST_STREAM, 2, REFUSED_STREAM]]);
    expect(heard.events).to.deep.equal(['headers :status 200']);
  });

  it('takes no more streams than the server allows, nor any after it is over', () => {
    const rig = ConnectionRig.greeted({ role: 'client' });
    rig.recv(settings([3, 1]));
    expect(rig.connection.mayOpen).to.equal(true);
    rig.connection.open([':method', 'CONNECT', ':authority', 'a:1'], new Heard());
    expect(rig.connection.mayOpen).to.equal(false);
    rig.recv(settings([3, 2]));
    expect(rig.connection.mayOpen).to.equal(true);
    rig.connection.goodbye();
    expect(rig.connection.mayOpen).to.equal(false);
  });

  it('tells every stream when it is lost', () => {
    const rig = ConnectionRig.greeted({ role: 'server' });
    const opened = rig.openedByPeer(1, 3);
    rig.connection.lose();
    rig.connection.lose();
    expect(opened.map(({ heard }) => heard.events)).to.deep.equal([['lost'], ['lost']]);
  });

  it('never throws, whatever frames come', () => {
    const anyFrame = fc
      .record({
        type: fc.integer({ min: 0, max: 10 }),
        flags: fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 255),
        stream: fc.integer({ min: 0, max: 7 }),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
          fc.constant(connectBlock()),
          fc.constant(ok),
          fc.nat().map((value) => u32(value)),
          fc.constant(Buffer.alloc(8)),
        ),
      })
      .map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));
    fc.assert(
      fc.property(
        fc.constantFrom('client' as const, 'server' as const),
        fc.array(anyFrame, { maxLength: 30 }),
        (role, frames) => {
          const rig = ConnectionRig.greeted({ role });
          if (role === 'client') rig.connection.open([':method', 'CONNECT', ':authority', 'a:1'], new Heard());
          for (const each of frames) rig.recv(each);
          // What it says is frames itself, and nothing after a GOAWAY for a violation.
          const sent = rig.sent();
          if (rig.violation !== undefined) expect(sent.at(-1)?.type).to.equal(GOAWAY);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
