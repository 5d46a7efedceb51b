import { expect } from 'chai';
import { describe, it } from 'mocha';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';

describe('the wildcard address', () => {
  for (const [ipv6, kernelHasIpv6, address] of [
    [true, true, '::'],
    [true, false, '0.0.0.0'],
    [false, true, '0.0.0.0'],
  ] as const)
    it(`is ${address} where IPv6 is ${ipv6 ? 'wanted' : 'switched off'} and the kernel has ${kernelHasIpv6 ? 'it' : 'none'}`, () => {
      expect(wildcardAddress({ ipv6 }, () => kernelHasIpv6)).to.equal(address);
    });
});
