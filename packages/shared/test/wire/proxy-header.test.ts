import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import { proxyHeader } from '@clearmesh/shared/wire/proxy-header';

describe('proxyHeader', () => {
  it('writes the bytes seen from the upstream proxy', () => {
    const bytes = proxyHeader({
      source: socketAddress('10.98.0.5:56679'),
      destination: socketAddress('10.98.1.1:80'),
      identity: identity('bank', 'far-sa'),
    });
    expect(bytes.toString('hex')).to.equal(
      '0d0a0d0a000d0a515549540a211100370a6200050a620101dd670050d000287370696666653a2f2f636c75737465722e6c6f63616c2f6e732f62616e6b2f73612f6661722d7361',
    );
  });

  it('writes both addresses as IPv6 when one of them is', () => {
    const bytes = proxyHeader({ source: socketAddress('10.0.0.1:1'), destination: socketAddress('[fd00::2]:2') });
    expect(bytes.subarray(12).toString('hex')).to.equal(
      '2121002400000000000000000000ffff0a000001fd00000000000000000000000000000200010002',
    );
  });
});
