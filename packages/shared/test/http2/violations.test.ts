import { expect } from 'chai';
import { describe, it } from 'mocha';
import { errorCode } from '../../src/http2/error-code.ts';
import {
  ACK,
  CONTINUATION,
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
  preface,
  settings,
  u32,
} from '../tunnel/raw-frames.ts';
import { ConnectionRig, PRIORITY, UNKNOWN, brief, client, data, ok, open } from './rig.ts';

const {
  PROTOCOL_ERROR,
  FLOW_CONTROL_ERROR,
  STREAM_CLOSED,
  FRAME_SIZE_ERROR,
  REFUSED_STREAM,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM: CALM,
} = errorCode;

describe('a connection that the peer breaks ends with GOAWAY (RFC 9113 section 5.4.1)', () => {
  for (const [what, code, bytes] of [
    ['another first frame than SETTINGS (3.4)', PROTOCOL_ERROR, [preface, frame(PING, 0, 0, Buffer.alloc(8))]],
    ['an acknowledgement as first frame (3.4)', PROTOCOL_ERROR, [preface, frame(SETTINGS, ACK, 0)]],
    ['no preface (3.4)', PROTOCOL_ERROR, [Buffer.from('GET / HTTP/1.1\r\n\r\n12345678')]],
    ['a frame larger than agreed (4.2)', FRAME_SIZE_ERROR, [preface, settings(), frame(UNKNOWN, 0, 0, Buffer.alloc(16_385))]],
    ['DATA on an idle stream (5.1)', PROTOCOL_ERROR, [preface, settings(), data(1, 'x')]],
    ['RST_STREAM on an idle stream (5.1)', PROTOCOL_ERROR, [preface, settings(), frame(RST_STREAM, 0, 1, u32(8))]],
    ['WINDOW_UPDATE on an idle stream (5.1)', PROTOCOL_ERROR, [preface, settings(), frame(WINDOW_UPDATE, 0, 1, u32(8))]],
    ['an even stream (5.1.1)', PROTOCOL_ERROR, [preface, settings(), open(2)]],
    ['a stream below the last (5.1.1)', PROTOCOL_ERROR, [preface, settings(), open(5), open(3)]],
    ['DATA on stream 0 (6.1)', PROTOCOL_ERROR, [preface, settings(), data(0, 'x')]],
    ['HEADERS on stream 0 (6.2)', PROTOCOL_ERROR, [preface, settings(), open(0)]],
    [
      'HEADERS that are all padding (6.2)',
      PROTOCOL_ERROR,
      [preface, settings(), frame(HEADERS, END_HEADERS | 8, 1, Buffer.from([9, 0x82]))],
    ],
    ['PRIORITY on stream 0 (6.3)', PROTOCOL_ERROR, [preface, settings(), frame(PRIORITY, 0, 0, Buffer.alloc(5))]],
    ['PRIORITY of four bytes (6.3)', FRAME_SIZE_ERROR, [preface, settings(), frame(PRIORITY, 0, 1, Buffer.alloc(4))]],
    [
      'RST_STREAM of three bytes (6.4)',
      FRAME_SIZE_ERROR,
      [preface, settings(), open(1), frame(RST_STREAM, 0, 1, Buffer.alloc(3))],
    ],
    ['SETTINGS of five bytes (6.5)', FRAME_SIZE_ERROR, [preface, frame(SETTINGS, 0, 0, Buffer.alloc(5))]],
    ['SETTINGS on a stream (6.5)', PROTOCOL_ERROR, [preface, settings(), frame(SETTINGS, 0, 1)]],
    [
      'an acknowledgement that says something (6.5)',
      FRAME_SIZE_ERROR,
      [preface, settings(), frame(SETTINGS, ACK, 0, Buffer.alloc(6))],
    ],
    ['ENABLE_PUSH 2 (6.5.2)', PROTOCOL_ERROR, [preface, settings([2, 2])]],
    ['a first window above 2^31-1 (6.5.2)', FLOW_CONTROL_ERROR, [preface, settings([4, 2 ** 31])]],
    ['frames of less than 16 KiB (6.5.2)', PROTOCOL_ERROR, [preface, settings([5, 16_383])]],
    ['PUSH_PROMISE of a client (8.4)', PROTOCOL_ERROR, [preface, settings(), frame(PUSH_PROMISE, END_HEADERS, 1, u32(2))]],
    ['PING of seven bytes (6.7)', FRAME_SIZE_ERROR, [preface, settings(), frame(PING, 0, 0, Buffer.alloc(7))]],
    ['GOAWAY on a stream (6.8)', PROTOCOL_ERROR, [preface, settings(), frame(GOAWAY, 0, 1, u32(0, 0))]],
    ['a window that grows by nothing (6.9)', PROTOCOL_ERROR, [preface, settings(), frame(WINDOW_UPDATE, 0, 0, u32(0))]],
    ['a window above 2^31-1 (6.9.1)', FLOW_CONTROL_ERROR, [preface, settings(), frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff))]],
    [
      'windows of streams above 2^31-1 by a new first size (6.9.2)',
      FLOW_CONTROL_ERROR,
      [preface, settings(), open(1), frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff - 65_535)), settings([4, 65_536])],
    ],
    ['CONTINUATION of nothing (6.10)', PROTOCOL_ERROR, [preface, settings(), frame(CONTINUATION, END_HEADERS, 1)]],
    [
      'another frame within a header block (6.10)',
      PROTOCOL_ERROR,
      [preface, settings(), open(1, 0), frame(PING, 0, 0, Buffer.alloc(8))],
    ],
    ['another stream within a header block (6.10)', PROTOCOL_ERROR, [preface, settings(), open(1, 0), frame(CONTINUATION, 0, 3)]],
    ['a block that is none (4.3)', COMPRESSION_ERROR, [preface, settings(), frame(HEADERS, END_HEADERS, 1, Buffer.from([0x80]))]],
    [
      'a block of very many frames',
      CALM,
      [preface, settings(), open(1, 0), ...Array.from({ length: 40 }, () => frame(CONTINUATION, 0, 1))],
    ],
    [
      'a block of very many bytes',
      CALM,
      [preface, settings(), open(1, 0), frame(CONTINUATION, END_HEADERS, 1, Buffer.alloc(16_384, 0x82))],
    ],
  ] as const) {
    it(`for ${what}`, () => {
      const rig = new ConnectionRig({ role: 'server' });
      rig.recv(...bytes, open(99));
      const goaway = rig.sent().find(({ type }) => type === GOAWAY);
      expect(goaway?.payload.readUInt32BE(4)).to.equal(code);
      expect(rig.violation?.kind).to.equal(code === CALM ? 'flood' : 'violation');
      expect(
        rig.requests.some(({ stream }) => stream.id === 99),
        'nothing is read after it',
      ).to.equal(false);
    });
  }

  for (const [what, code, bytes] of [
    ['a stream of the server’s own (5.1.1)', PROTOCOL_ERROR, frame(HEADERS, END_HEADERS, 2, ok)],
    ['ENABLE_PUSH 1 of a server (6.5.2)', PROTOCOL_ERROR, settings([2, 1])],
    [
      'a push once the server knows better (8.4)',
      PROTOCOL_ERROR,
      Buffer.concat([frame(SETTINGS, ACK, 0), frame(PUSH_PROMISE, END_HEADERS, 1, u32(2))]),
    ],
  ] as const) {
    it(`for ${what}`, () => {
      const { rig } = client();
      rig.recv(bytes);
      expect(brief(rig.sent()).at(-1)).to.deep.equal([GOAWAY, 0, code]);
    });
  }
});

describe('a stream that the peer breaks is reset, and the connection goes on (section 5.4.2)', () => {
  for (const [what, code, bytes] of [
    ['DATA after END_STREAM (5.1)', STREAM_CLOSED, [open(1, END_HEADERS | END_STREAM), data(1, 'x')]],
    ['HEADERS after END_STREAM (5.1)', STREAM_CLOSED, [open(1, END_HEADERS | END_STREAM), open(1)]],
    ['a stream beyond the limit (5.1.2)', REFUSED_STREAM, [open(3), open(5), open(7), open(9), open(1 + 10)]],
    [
      'more DATA than its window (6.9.1)',
      FLOW_CONTROL_ERROR,
      [open(1), ...Array.from({ length: 7 }, () => data(1, 'x'.repeat(16_000)))],
    ],
    ['a window that grows by nothing (6.9)', PROTOCOL_ERROR, [open(1), frame(WINDOW_UPDATE, 0, 1, u32(0))]],
    ['a window above 2^31-1 (6.9.1)', FLOW_CONTROL_ERROR, [open(1), frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff))]],
    ['PRIORITY of four bytes (6.3)', FRAME_SIZE_ERROR, [open(1), frame(PRIORITY, 0, 1, Buffer.alloc(4))]],
    [
      'HEADERS within a tunnel (8.5)',
      PROTOCOL_ERROR,
      [open(1), frame(HEADERS, END_HEADERS | END_STREAM, 1, headerBlock(['a', 'b']))],
    ],
    ['a list longer than agreed (10.5.1)', CALM, [frame(HEADERS, END_HEADERS, 1, connectBlock('a:1', ['x', 'y'.repeat(4_096)]))]],
  ] as const) {
    it(`for ${what}`, () => {
      const rig = ConnectionRig.greeted({ role: 'server' });
      rig.recv(...bytes);
      const resets = rig.sent().filter(({ type }) => type === RST_STREAM);
      expect(resets.map(({ payload }) => payload.readUInt32BE(0))).to.deep.equal([code]);
      rig.recv(frame(PING, 0, 0, Buffer.alloc(8)));
      expect(rig.sent().map(({ type }) => type)).to.deep.equal([PING]);
    });
  }

  for (const [what, block] of [
    ['no authority (8.5)', headerBlock([':method', 'CONNECT'])],
    ['a path (8.5)', connectBlock('a:1', [':path', '/'])],
    ['no method (8.3.1)', headerBlock([':authority', 'a:1'])],
    ['no path of another method (8.3.1)', headerBlock([':method', 'GET'], [':scheme', 'https'])],
    ['a name in capitals (8.2.1)', connectBlock('a:1', ['Baggage', 'x'])],
    ['a line feed in a value (8.2.1)', connectBlock('a:1', ['baggage', 'a\nb'])],
    ['a space before a value (8.2.1)', connectBlock('a:1', ['baggage', ' a'])],
    ['a field of a connection (8.2.2)', connectBlock('a:1', ['connection', 'close'])],
    ['TE other than trailers (8.2.2)', connectBlock('a:1', ['te', 'gzip'])],
    ['a pseudo-field after others (8.3)', headerBlock(['a', 'b'], [':method', 'CONNECT'], [':authority', 'a:1'])],
    ['a pseudo-field twice (8.3)', connectBlock('a:1', [':authority', 'b:1'])],
    ['an unknown pseudo-field (8.3)', connectBlock('a:1', [':what', 'x'])],
    ['a status in a request (8.3)', connectBlock('a:1', [':status', '200'])],
  ] as const) {
    it(`for a request with ${what}`, () => {
      const rig = ConnectionRig.greeted({ role: 'server' });
      rig.recv(frame(HEADERS, END_HEADERS, 1, block), open(3));
      expect(brief(rig.sent())).to.deep.equal([[RST_STREAM, 1, PROTOCOL_ERROR]]);
      expect(rig.requests.map(({ stream }) => stream.id)).to.deep.equal([3]);
    });
  }

  for (const [what, bytes] of [
    ['DATA before it (8.1)', data(1, 'x')],
    ['no status (8.3.2)', frame(HEADERS, END_HEADERS, 1, headerBlock(['a', 'b']))],
    ['a status that is none (8.3.2)', frame(HEADERS, END_HEADERS, 1, headerBlock([':status', '20']))],
    ['an end of what is informational (8.1)', frame(HEADERS, END_HEADERS | END_STREAM, 1, headerBlock([':status', '103']))],
  ] as const) {
    it(`for an answer with ${what}`, () => {
      const { rig, heard } = client(false);
      rig.recv(bytes);
      expect(brief(rig.sent())).to.deep.equal([[RST_STREAM, 1, PROTOCOL_ERROR]]);
      expect(heard.events).to.deep.equal([`reset ${PROTOCOL_ERROR}`]);
    });
  }
});
