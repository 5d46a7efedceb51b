import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseFrame } from '../../src/wiretap/frame.ts';
import { ethernet, ipv4, tcp, tcpFrame } from './packet-builder.ts';

const spec = { from: '10.0.0.1:1234', to: '10.0.0.2:80', sequence: 0xfffffff0, flags: 'SA', payload: 'hello' };

/** An IPv6 header with these extension headers before the TCP segment. */
function ipv6(next: number, rest: Uint8Array): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(rest.length, 4);
  header[6] = next;
  header[23] = 1;
  header[39] = 2;
  return ethernet(0x86dd, Buffer.concat([header, rest]));
}

describe('parseFrame', () => {
  it('reads TCP over IPv4', () => {
    expect(parseFrame(tcpFrame(spec))).to.deep.equal({
      kind: 'tcp',
      source: { ip: '10.0.0.1', port: 1234 },
      destination: { ip: '10.0.0.2', port: 80 },
      sequence: 0xfffffff0,
      flags: { syn: true, ack: true, fin: false, rst: false },
      payload: Buffer.from('hello'),
    });
  });

  it('leaves Ethernet’s padding out of the payload', () => {
    const padded = Buffer.concat([tcpFrame({ ...spec, payload: '' }), Buffer.alloc(6, 0xff)]);
    expect(parseFrame(padded)).to.have.property('payload').with.length(0);
  });

  it('skips a VLAN tag, IP options and TCP options', () => {
    const segment = tcp(spec);
    segment[12] = 6 << 4;
    const withOptions = Buffer.concat([segment.subarray(0, 20), Buffer.alloc(4), segment.subarray(20)]);
    const packet = ipv4('10.0.0.1:0', '10.0.0.2:0', 6, withOptions);
    packet[0] = 0x46;
    packet.writeUInt16BE(packet.length + 4, 2);
    const body = Buffer.concat([Buffer.from([0, 5, 8, 0]), packet.subarray(0, 20), Buffer.alloc(4), packet.subarray(20)]);
    const parsed = parseFrame(ethernet(0x8100, body));
    expect(parsed).to.deep.include({ kind: 'tcp', payload: Buffer.from('hello') });
  });

  it('reads TCP over IPv6, behind extension headers', () => {
    const hopByHop = Buffer.from([6, 1, ...Array.from({ length: 14 }, () => 0)]);
    for (const frame of [ipv6(6, tcp(spec)), ipv6(0, Buffer.concat([hopByHop, tcp(spec)]))]) {
      const parsed = parseFrame(frame);
      expect(parsed).to.deep.include({ kind: 'tcp', source: { ip: '::1', port: 1234 }, payload: Buffer.from('hello') });
    }
  });

  for (const [what, frame, protocol] of [
    ['UDP', ethernet(0x0800, ipv4('10.0.0.1:0', '10.0.0.2:0', 17, Buffer.from('dns'))), 17],
    ['a fragment of TCP', ethernet(0x0800, ipv4('10.0.0.1:0', '10.0.0.2:0', 6, tcp(spec), 0x2000)), 6],
    ['a later fragment of TCP', ethernet(0x0800, ipv4('10.0.0.1:0', '10.0.0.2:0', 6, tcp(spec), 0x0001)), 6],
    ['an IPv6 fragment', ipv6(44, Buffer.concat([Buffer.from([6, 0, 0, 1, 0, 0, 0, 1]), tcp(spec)])), 6],
    ['a TCP header cut short', ethernet(0x0800, ipv4('10.0.0.1:0', '10.0.0.2:0', 6, Buffer.alloc(12))), 6],
    ['a TCP header that claims less than it has', ethernet(0x0800, ipv4('10.0.0.1:0', '10.0.0.2:0', 6, Buffer.alloc(20))), 6],
  ] as const) {
    it(`takes ${what} for IP that is not a TCP segment`, () => {
      expect(parseFrame(frame)).to.include({ kind: 'ip', protocol });
    });
  }

  for (const [what, frame] of [
    ['ARP', ethernet(0x0806, Buffer.alloc(28))],
    ['nothing', new Uint8Array(0)],
    ['half an IPv4 header', ethernet(0x0800, Buffer.alloc(10, 0x45))],
    ['an IPv4 header of another version', ethernet(0x0800, Buffer.alloc(40, 0x55))],
    ['a total length below the header’s', ethernet(0x0800, Buffer.concat([Buffer.from([0x4f, 0, 0, 20]), Buffer.alloc(60)]))],
    ['half an IPv6 header', ethernet(0x86dd, Buffer.alloc(20, 0x60))],
    ['an IPv6 extension cut short', ipv6(0, Buffer.from([6, 9]))],
  ] as const) {
    it(`takes ${what} for no IP packet`, () => {
      expect(parseFrame(frame)).to.include({ kind: 'other' });
    });
  }

  it('never throws', () => {
    const anyType = fc.constantFrom(0x0800, 0x86dd, 0x8100);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void parseFrame(bytes)));
    fc.assert(fc.property(anyType, fc.uint8Array({ maxLength: 120 }), (type, bytes) => void parseFrame(ethernet(type, bytes))));
    fc.assert(
      fc.property(fc.nat(80), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const frame = tcpFrame(spec);
        frame[at % frame.length] = value;
        parseFrame(frame);
      }),
    );
  });
});
