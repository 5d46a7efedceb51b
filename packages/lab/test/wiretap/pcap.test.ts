import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { PcapDecoder } from '../../src/wiretap/pcap.ts';
import { pcapFile, tcpFrame } from './packet-builder.ts';

const frames = ['one', 'two', 'three'].map((payload) => tcpFrame({ from: '10.0.0.1:1', to: '10.0.0.2:2', payload }));
const file = pcapFile(frames);

/** The same file in big-endian order. */
function bigEndian(source: Buffer): Buffer {
  const copy = Buffer.from(source);
  copy.subarray(0, 4).swap32();
  copy.subarray(4, 8).swap16();
  copy.subarray(8, 24).swap32();
  for (let at = 24; at < copy.length;) {
    const length = copy.readUInt32LE(at + 8);
    copy.subarray(at, at + 16).swap32();
    at += 16 + length;
  }
  return copy;
}

describe('PcapDecoder', () => {
  it('reads packets with their time and length', () => {
    const packets = new PcapDecoder().push(file);
    expect(packets.map(({ atUs, length }) => [atUs, length])).to.deep.equal(
      frames.map(({ length }, index) => [(index + 1) * 1e6, length]),
    );
    expect(packets[2]!.content).to.deep.include({ kind: 'tcp', payload: Buffer.from('three') });
  });

  it('reads the other byte order', () => {
    expect(new PcapDecoder().push(bigEndian(file))).to.deep.equal(new PcapDecoder().push(file));
  });

  it('reads nanoseconds', () => {
    const nanoseconds = Buffer.from(file);
    nanoseconds.writeUInt32LE(0xa1b23c4d, 0);
    nanoseconds.writeUInt32LE(123_456_789, 28);
    expect(new PcapDecoder().push(nanoseconds)[0]!.atUs).to.equal(1e6 + 123_456);
  });

  it('reads a file however it grows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: file.length })), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), file.length];
        const decoder = new PcapDecoder();
        const packets = places.slice(1).flatMap((end, index) => [...decoder.push(file.subarray(places[index], end))]);
        expect(packets).to.deep.equal(new PcapDecoder().push(file));
        expect(decoder.pendingBytes).to.equal(0);
      }),
    );
  });

  it('waits for the rest of a record', () => {
    const decoder = new PcapDecoder();
    expect(decoder.push(file.subarray(0, -1))).to.have.length(2);
    expect(decoder.pendingBytes).to.be.greaterThan(0);
    expect(decoder.failure).to.equal(undefined);
  });

  it('refuses what is no capture, another link type, and a record too long to be one', () => {
    const change = (at: number, value: number): string | undefined => {
      const copy = Buffer.from(file);
      copy.writeUInt32LE(value, at);
      const decoder = new PcapDecoder();
      decoder.push(copy);
      return decoder.failure;
    };
    expect(change(0, 0x0a0d0d0a)).to.equal('the first bytes are not those of a pcap file');
    expect(change(20, 113)).to.equal('link type 113 is not Ethernet');
    expect(change(32, 262_145)).to.equal('a record claims 262145 bytes');
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void new PcapDecoder().push(bytes)));
    fc.assert(
      fc.property(fc.nat({ max: file.length - 1 }), fc.uint8Array({ maxLength: 40 }), (at, bytes) => {
        const copy = Buffer.from(file);
        copy.set(bytes.subarray(0, copy.length - at), at);
        new PcapDecoder().push(copy);
      }),
    );
  });
});
