import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseFrame } from '../../src/wiretap/frame.ts';
import type { Packet } from '../../src/wiretap/packet.ts';
import { reassemble } from '../../src/wiretap/tcp-connection.ts';
import { conversation, tcpFrame } from './packet-builder.ts';
import type { SegmentSpec } from './packet-builder.ts';

const client = '10.0.0.1:40000';
const server = '10.0.0.2:80';

function packets(frames: readonly Uint8Array[]): readonly Packet[] {
  return frames.map((frame) => ({ atUs: 0, length: frame.length, content: parseFrame(frame) }));
}

function up(sequence: number, payload: string, flags = 'A'): SegmentSpec {
  return { from: client, to: server, sequence, payload, flags };
}

/** What the client said, of a connection with these client segments. */
function said(...segments: readonly SegmentSpec[]): {
  readonly text: string;
  readonly missing: number;
  readonly isWhole: boolean;
} {
  const [connection] = reassemble(packets(segments.map(tcpFrame)));
  const { bytes, missing } = connection!.toServer;
  return { text: bytes.toString(), missing, isWhole: connection!.isWhole };
}

describe('reassemble', () => {
  it('gives both directions of a conversation', () => {
    const [connection] = reassemble(packets(conversation(client, server, ['ask', 'answer', ' again'])));
    expect(connection).to.deep.equal({
      client: { ip: '10.0.0.1', port: 40000 },
      server: { ip: '10.0.0.2', port: 80 },
      toServer: { bytes: Buffer.from('ask again'), missing: 0 },
      toClient: { bytes: Buffer.from('answer'), missing: 0 },
      isWhole: true,
    });
  });

  for (const [what, segments, expected] of [
    [
      'puts late segments in order',
      [up(99, '', 'S'), up(103, 'def'), up(100, 'abc')],
      { text: 'abcdef', missing: 0, isWhole: true },
    ],
    [
      'takes a retransmission once',
      [up(99, '', 'S'), up(100, 'abc'), up(100, 'abc')],
      { text: 'abc', missing: 0, isWhole: true },
    ],
    ['takes an overlap once', [up(99, '', 'S'), up(100, 'abc'), up(101, 'bcd')], { text: 'abcd', missing: 0, isWhole: true }],
    ['keeps the first copy', [up(99, '', 'S'), up(100, 'abc'), up(100, 'xyz')], { text: 'abc', missing: 0, isWhole: true }],
    ['drops what is contained', [up(99, '', 'S'), up(100, 'abcd'), up(101, 'b')], { text: 'abcd', missing: 0, isWhole: true }],
    ['counts a gap', [up(99, '', 'S'), up(100, 'abc'), up(105, 'fg')], { text: 'abcfg', missing: 2, isWhole: false }],
    ['counts a missing beginning', [up(99, '', 'S'), up(102, 'c')], { text: 'c', missing: 2, isWhole: false }],
    ['knows that a capture without SYN began too late', [up(100, 'abc')], { text: 'abc', missing: 0, isWhole: false }],
    ['finds earlier bytes without a SYN', [up(103, 'def'), up(100, 'abc')], { text: 'abcdef', missing: 0, isWhole: false }],
    [
      'survives the wrap of sequence numbers',
      [up(0xfffffffd, '', 'S'), up(0xfffffffe, 'abc'), up(1, 'def')],
      { text: 'abcdef', missing: 0, isWhole: true },
    ],
    ['reads data that came with the SYN', [up(99, 'abc', 'S')], { text: 'abc', missing: 0, isWhole: true }],
    [
      'ignores a keep-alive probe, one byte back and empty',
      [up(99, '', 'S'), up(100, 'abc'), up(102, '')],
      { text: 'abc', missing: 0, isWhole: true },
    ],
  ] as const) {
    it(what, () => {
      expect(said(...segments)).to.deep.equal(expected);
    });
  }

  it('takes a SYN with another number for the next connection on the same ports, the same SYN for a retransmission', () => {
    const frames = [up(99, '', 'S'), up(99, '', 'S'), up(100, 'one'), up(7999, '', 'S'), up(8000, 'two')].map(tcpFrame);
    expect(reassemble(packets(frames)).map(({ toServer }) => toServer.bytes.toString())).to.deep.equal(['one', 'two']);
  });

  it('knows the client by the answer when the SYN is missing', () => {
    const answer = tcpFrame({ from: server, to: client, sequence: 1, flags: 'SA' });
    expect(reassemble(packets([answer]))[0]!.client).to.deep.equal({ ip: '10.0.0.1', port: 40000 });
  });

  it('gives the bytes whatever the order, cuts and repetitions of segments', () => {
    const piece = fc.record({ at: fc.nat({ max: 300 }), length: fc.integer({ min: 1, max: 100 }) });
    const text = Array.from({ length: 400 }, (_, index) => String.fromCodePoint(97 + (index % 26))).join('');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.array(piece), (start, pieces) => {
        const cover = Array.from({ length: 8 }, (_, index) => ({ at: index * 50, length: 50 }));
        const segments = [...pieces, ...cover].map(({ at, length }) => up(start + 1 + at, text.slice(at, at + length)));
        expect(said(up(start, '', 'S'), ...segments)).to.deep.equal({ text, missing: 0, isWhole: true });
      }),
    );
  });
});
