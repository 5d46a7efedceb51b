import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { readTrackingReply, trackingRequest } from '../src/tracked-tuple.ts';
import type { DatagramTuple } from '../src/tracked-tuple.ts';

const answer: DatagramTuple = {
  source: { ip: '127.0.0.1', port: 15_053 },
  destination: { ip: '10.78.0.1', port: 41_000 },
};

/** A question about a tuple reads as the answer about it does, under another type and with the other direction's number. */
function replyAbout(tuple: DatagramTuple, sequence: number): Buffer {
  const bytes = Buffer.from(trackingRequest(tuple, sequence));
  bytes.writeUInt16LE(0x0100, 4);
  bytes.writeUInt16LE(0x8001, 22);
  return bytes;
}

/** struct nlmsgerr. */
function refusal(errno: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32LE(36, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeInt32LE(-errno, 16);
  return bytes;
}

describe('a question to connection tracking', () => {
  it('is a message as the kernel reads it', () => {
    const parts = [
      ['48000000', '0101', '0100', '07000000', '00000000', '02000000'],
      ['34000280', '14000180', '08000100', '7f000001', '08000200', '0a4e0001'],
      ['1c000280', '05000100', '11000000', '06000200', '3acd0000', '06000300', 'a0280000'],
    ];
    expect(Buffer.from(trackingRequest(answer, 7)).toString('hex')).to.equal(parts.flat().join(''));
  });

  it('is answered with the tuple before translation', () => {
    expect(readTrackingReply(replyAbout(answer, 7))).to.deep.equal({ kind: 'tracked', sequence: 7, original: answer });
  });

  it('is answered with its absence, or with a refusal', () => {
    expect(readTrackingReply(refusal(2, 7))).to.deep.equal({ kind: 'unknown', sequence: 7 });
    expect(readTrackingReply(refusal(1, 8))).to.deep.equal({ kind: 'refused', sequence: 8, errno: 1 });
  });

  it('is not answered by what is cut at any place, or of another type', () => {
    const whole = replyAbout(answer, 7);
    for (let length = 0; length < whole.length; length++)
      expect(readTrackingReply(whole.subarray(0, length))).to.equal(undefined);
    whole.writeUInt16LE(3, 4);
    expect(readTrackingReply(whole)).to.equal(undefined);
  });

  it('comes back whatever the tuple', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    // Mapped addresses change their family on purpose.
    const v6 = fc.ipV6().filter((ip) => !/^(0*:)*:?0*:?ffff:/i.test(ip));
    const tuple = (ip: fc.Arbitrary<string>): fc.Arbitrary<DatagramTuple> =>
      fc.record({ source: fc.record({ ip, port }), destination: fc.record({ ip, port }) });
    fc.assert(
      fc.property(fc.oneof(tuple(fc.ipV4()), tuple(v6)), fc.nat(0xffff_ffff), (asked, sequence) => {
        const read = readTrackingReply(replyAbout(asked, sequence));
        if (read?.kind !== 'tracked') throw new Error(read?.kind);
        expect(Buffer.from(trackingRequest(read.original, sequence))).to.deep.equal(
          Buffer.from(trackingRequest(asked, sequence)),
        );
      }),
    );
  });

  it('survives whatever else comes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readTrackingReply(bytes)));
    const flipped = fc.tuple(fc.nat(71), fc.nat(255));
    fc.assert(
      fc.property(fc.array(flipped, { maxLength: 8 }), (changes) => {
        const bytes = replyAbout(answer, 7);
        for (const [at, value] of changes) bytes[at] = value;
        readTrackingReply(bytes);
      }),
    );
  });
});
