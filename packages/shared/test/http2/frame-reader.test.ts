import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { FrameReader } from '../../src/http2/frame-reader.ts';
import type { HeaderVerdict } from '../../src/http2/frame-reader.ts';
import { DATA, HEADERS, PING, frame, preface } from '../tunnel/raw-frames.ts';

const padded = 8;

/** A reader, and what its sink heard: payloads and data joined, so that it does not matter how the bytes were cut. */
function reading(role: 'client' | 'server' = 'client', verdict: (type: number) => HeaderVerdict = () => 'take') {
  const heard: string[] = [];
  let data = Buffer.alloc(0);
  const reader = new FrameReader(role, {
    recvFrameHeader: (type, flags, stream, length) => {
      heard.push(`header ${type} ${flags} ${stream} ${length}`);
      return verdict(type);
    },
    recvDataPiece: (bytes) => {
      data = Buffer.concat([data, bytes]);
      return true;
    },
    recvDataEnd: () => {
      heard.push(`data ${data.toString('latin1')}`);
      data = Buffer.alloc(0);
      return true;
    },
    recvFrame: (type, _flags, _stream, payload) => heard.push(`frame ${type} ${payload.toString('latin1')}`) > 0,
    recvGarbage: (code, detail) => void heard.push(`garbage ${code} ${detail}`),
  });
  return { reader, heard };
}

const frames = fc.array(
  fc
    .record({ type: fc.constantFrom(DATA, HEADERS, PING, 77), stream: fc.nat(9), text: fc.stringMatching(/^[a-z]{0,30}$/) })
    .map(({ type, stream, text }) => frame(type, 0, stream, Buffer.from(text))),
  { maxLength: 10 },
);

describe('FrameReader', () => {
  it('hands on data in the pieces in which it comes (R1)', () => {
    const pieces: string[] = [];
    const reader = new FrameReader('client', {
      recvFrameHeader: () => 'take',
      recvDataPiece: (bytes: Buffer) => pieces.push(String(bytes)) > 0,
      recvDataEnd: () => pieces.push('.') > 0,
      recvFrame: () => true,
      recvGarbage: () => {},
    });
    const bytes = frame(DATA, 0, 1, Buffer.from('abcdef'));
    reader.recv(bytes.subarray(0, 11));
    reader.recv(bytes.subarray(11, 12));
    reader.recv(bytes.subarray(12));
    expect(pieces).to.deep.equal(['ab', 'c', 'def', '.']);
  });

  it('reads the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.concat([preface, ...sent]);
        const whole = reading('server', (type) => (type === 77 ? 'skip' : 'take'));
        whole.reader.recv(bytes);
        const cut = reading('server', (type) => (type === 77 ? 'skip' : 'take'));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const to = at + (cuts[i % cuts.length] ?? 1);
          // R4: a copy that is gone right after.
          const lent = Buffer.from(bytes.subarray(at, to));
          cut.reader.recv(lent);
          lent.fill(0xff);
          at = to;
        }
        expect(cut.heard).to.deep.equal(whole.heard);
        expect(whole.heard.filter((line) => line.startsWith('header')).length).to.equal(sent.length);
      }),
    );
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('client' as const, 'server' as const),
        fc.array(fc.uint8Array({ maxLength: 60 })),
        (role, chunks) => {
          const { reader } = reading(role);
          for (const chunk of chunks) reader.recv(Buffer.from(chunk));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('cuts off padding (section 6.1)', () => {
    const { reader, heard } = reading();
    reader.recv(Buffer.concat([frame(DATA, padded, 1, Buffer.from('\x02ab\0\0')), frame(PING, 0, 0, Buffer.from('p'))]));
    expect(heard).to.deep.equal(['header 0 8 1 5', 'data ab', 'header 6 0 0 1', 'frame 6 p']);
  });

  for (const [what, payload, code] of [
    ['more padding than payload', Buffer.from('\x05ab'), 1],
    ['padding without its length', Buffer.alloc(0), 6],
  ] as const) {
    it(`finds ${what} in order no more (section 6.1)`, () => {
      const { reader, heard } = reading();
      reader.recv(Buffer.concat([frame(DATA, padded, 1, payload), frame(PING, 0, 0)]));
      expect(heard.length).to.equal(2);
      expect(heard[1]).to.match(new RegExp(`^garbage ${code}`));
    });
  }

  it('tells a wrong preface by its first wrong byte (section 3.4)', () => {
    const { reader, heard } = reading('server');
    reader.recv(Buffer.from('PRI * HT'));
    expect(heard).to.deep.equal([]);
    reader.recv(Buffer.from('X'));
    expect(heard).to.deep.equal(['garbage 1 the connection does not begin with the preface of HTTP/2']);
  });

  it('looks at nothing after the sink said that it is over (R3)', () => {
    const { reader, heard } = reading('client', () => 'over');
    reader.recv(Buffer.concat([frame(PING, 0, 0), frame(PING, 0, 0)]));
    reader.recv(frame(PING, 0, 0));
    expect(heard).to.deep.equal(['header 6 0 0 0']);
  });
});
