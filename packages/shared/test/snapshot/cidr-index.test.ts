import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { cidrContains, ipFromBytes, ipToBytes } from '../../src/model/ip-address.ts';
import { ip } from '../../src/testing/builders.ts';
import { CidrIndex, isServiceBlock } from '../../src/snapshot/cidr-index.ts';
import type { ServiceBlock } from '../../src/snapshot/cidr-index.ts';

function block(text: string, prefixLength: number, network = 'n'): ServiceBlock {
  return { network, ip: ip(text), prefixLength };
}

function indexOf(blocks: readonly ServiceBlock[]): CidrIndex<ServiceBlock> {
  const edit = CidrIndex.empty<ServiceBlock>().edit();
  blocks.forEach((entry, at) => edit.set(entry, String(at), entry));
  return edit.done();
}

/** Few bits, so that blocks really hold addresses. */
const smallIp = fc.tuple(fc.boolean(), fc.nat(15), fc.nat(15)).map(([six, a, b]) => {
  const bytes = six ? Uint8Array.from([0xfd, a, ...Array.from({ length: 13 }, () => 0), b]) : Uint8Array.from([10, a, 0, b]);
  return ipFromBytes(bytes) ?? ip('10.0.0.0');
});

describe('CidrIndex', () => {
  it('finds exactly the blocks that hold an address, longest prefix first', () => {
    const blocks = fc.array(
      fc
        .tuple(smallIp, fc.nat(31), fc.constantFrom('n', 'm'))
        .map(([address, length, network]) => ({ network, ip: address, prefixLength: length })),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(blocks, smallIp, (list, asked) => {
        const found = indexOf(list).lookup('n', asked);
        const naive = list.filter(
          ({ network, ip: base, prefixLength }) =>
            network === 'n' && cidrContains({ bytes: ipToBytes(base), length: prefixLength }, asked),
        );
        expect(found.map(({ value }) => value)).to.have.members(naive);
        const lengths = found.map(({ prefixLength }) => prefixLength);
        expect(lengths).to.deep.equal(lengths.toSorted((a, b) => b - a));
      }),
    );
  });

  it('forgets a block and its prefix length', () => {
    const index = indexOf([block('10.0.0.0', 8), block('10.1.0.0', 16)]);
    const edit = index.edit();
    edit.delete(block('10.1.0.0', 16), '1');
    edit.delete(block('10.1.0.0', 16), '1');
    const after = edit.done();
    expect(after.lookup('n', ip('10.1.2.3')).map(({ prefixLength }) => prefixLength)).to.deep.equal([8]);
    expect(index.lookup('n', ip('10.1.2.3'))).to.have.length(2);
  });

  it('takes host bits in a block for what they are', () => {
    expect(indexOf([block('10.1.2.3', 8)]).lookup('n', ip('10.9.9.9'))).to.have.length(1);
  });

  it('calls an address with a full prefix no block', () => {
    expect([
      isServiceBlock({ network: '', ip: ip('10.0.0.1') }),
      isServiceBlock(block('10.0.0.1', 32)),
      isServiceBlock(block('fd00::', 32)),
      isServiceBlock(block('fd00::1', 128)),
    ]).to.deep.equal([false, false, true, false]);
  });
});
