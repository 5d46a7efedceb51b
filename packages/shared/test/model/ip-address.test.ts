import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  cidrContains,
  formatSocketAddress,
  ipFamily,
  ipFromBytes,
  ipToBytes,
  isLoopback,
  parseIp,
} from '@clearmesh/shared/model/ip-address';
import { cidr, ip } from '@clearmesh/shared/testing/builders';
import { cidr as anyCidr, ipAddress } from '../arbitraries.ts';
import { blockHolds } from '../policy/reference-matcher.ts';

describe('IP addresses', () => {
  const texts: readonly (readonly [text: string, canonical: string | undefined])[] = [
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:255.255.255.255', '255.255.255.255'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['FD00::0001', 'fd00::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['', undefined],
    ['10.0.0', undefined],
    ['10.0.0.256', undefined],
    ['0x0a.0.0.1', undefined],
    ['167772161', undefined],
    ['10.0.0.1 ', undefined],
    ['10.0.0.1\n', undefined],
    ['10.0.0.01', undefined],
    ['10.0.0.1.1', undefined],
    ['::ffff:10.0.0.256', undefined],
    ['ffff:10.0.0.1', undefined],
    ['fe80::1%eth0', undefined],
    ['[::1]', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['example', undefined],
  ];
  for (const [text, canonical] of texts) {
    it(`${JSON.stringify(text)} parses to ${canonical ?? 'nothing'}`, () => expect(parseIp(text)).to.equal(canonical));
  }

  it('refuses any number of bytes but 4 and 16', () => {
    for (const length of [0, 1, 3, 5, 15, 17]) expect(ipFromBytes(new Uint8Array(length))).to.equal(undefined);
  });

  it('tells the family and loopback', () => {
    expect([ipFamily(ip('10.0.0.1')), ipFamily(ip('::1'))]).to.deep.equal([4, 6]);
    expect(['127.0.0.1', '127.9.9.9', '::1', '10.0.0.1', 'fd00::1'].map((text) => isLoopback(ip(text)))).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('brackets IPv6 before a port (RFC 3986 section 3.2.2)', () => {
    expect(formatSocketAddress({ ip: ip('10.0.0.1'), port: 80 })).to.equal('10.0.0.1:80');
    expect(formatSocketAddress({ ip: ip('fd00::1'), port: 80 })).to.equal('[fd00::1]:80');
  });

  it('survives bytes and text unchanged', () => {
    fc.assert(
      fc.property(ipAddress, (address) => {
        expect(ipFromBytes(ipToBytes(address))).to.equal(address);
        expect(parseIp(address)).to.equal(address);
      }),
    );
  });

  it('never throws on any text', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4Extended(), fc.ipV6()), (text) => void parseIp(text)));
  });
});

describe('CIDR blocks', () => {
  const blocks: readonly (readonly [block: string, address: string, holds: boolean])[] = [
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.4.7.7/16', '10.4.0.1', true],
    ['10.0.0.128/25', '10.0.0.127', false],
    ['10.0.0.128/25', '10.0.0.128', true],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['10.0.0.1/32', '10.0.0.2', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', 'fd00::1', false],
    ['::/0', 'fd00::1', true],
    ['::/0', '10.0.0.1', false],
    ['fd00:1::/32', 'fd00:1:2::3', true],
    ['fd00:1::/32', 'fd00:2::', false],
    ['fd00::7/128', 'fd00::7', true],
    ['fd00::7/128', 'fd00::8', false],
    ['1:2:3:4:5:6:7:8/127', '1:2:3:4:5:6:7:9', true],
    ['1:2:3:4:5:6:7:8/128', '1:2:3:4:5:6:7:9', false],
  ];
  for (const [block, address, holds] of blocks) {
    it(`${block} ${holds ? 'holds' : 'does not hold'} ${address}`, () =>
      expect(cidrContains(cidr(block), ip(address))).to.equal(holds));
  }

  it('holds nothing when longer than the address', () => {
    expect(cidrContains({ bytes: new Uint8Array(4), length: 33 }, ip('0.0.0.0'))).to.equal(false);
  });

  it('agrees with a comparison bit by bit', () => {
    fc.assert(
      fc.property(anyCidr, ipAddress, (block, address) => cidrContains(block, address) === blockHolds(block, address)),
      {
        numRuns: 2000,
      },
    );
    fc.assert(fc.property(anyCidr, (block) => cidrContains(block, ipFromBytes(block.bytes)!)));
  });
});
