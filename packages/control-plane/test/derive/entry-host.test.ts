import { expect } from 'chai';
import { assert, nat, property, uint8Array } from 'fast-check';
import { describe, it } from 'mocha';
import { cidrContains, ipFromBytes } from '@clearmesh/shared/model/ip-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import { deriveEntryHost, visibilityOf } from '../../src/derive/entry-host.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import type { ServiceAddress } from '@clearmesh/shared/model/service';
import type { ServiceEntryManifest } from '../../src/manifest/service-entry.ts';

function entry(spec: Partial<ServiceEntryManifest['spec']>): ServiceEntryManifest {
  return { metadata: { name: 'fx', namespace: 'bank' }, spec: { hosts: ['fx.example'], ...spec } };
}

function addressesOf(...addresses: readonly string[]): readonly ServiceAddress[] {
  const host = { entry: entry({ addresses }), host: 'fx.example', key: serviceKey('bank', 'fx.example'), canonical: true };
  return deriveEntryHost(host, [], defaultDeriveOptions).addresses;
}

describe('a block of addresses', () => {
  it('loses its host bits and no others', () => {
    for (const size of [4, 16]) {
      assert(
        property(uint8Array({ minLength: size, maxLength: size }), nat(size * 8), (bytes, length) => {
          const text = ipFromBytes(bytes)!;
          // An IPv4-mapped block means IPv4, and is tested as such.
          if (size === 16 && !text.includes(':')) return;
          const [address] = addressesOf(`${text}/${length}`);
          expect(address?.prefixLength).to.equal(length === size * 8 ? undefined : length);
          expect(cidrContains({ bytes, length }, address!.ip)).to.equal(true);
          expect(addressesOf(`${address!.ip}/${length}`)).to.deep.equal([address]);
        }),
      );
    }
  });

  it('is cut inside of a byte', () => {
    const written = addressesOf('10.9.255.255/12', '198.18.4.77/24', '203.0.113.9/32', 'fd00:18::ffff/48', '0.0.0.0/0');
    expect(written.map(({ ip, prefixLength }) => `${ip}/${prefixLength ?? 'alone'}`)).to.deep.equal([
      '10.0.0.0/12',
      '198.18.4.0/24',
      '203.0.113.9/alone',
      'fd00:18::/48',
      '0.0.0.0/0',
    ]);
  });
});

describe('who may see the hosts of an entry', () => {
  for (const [exportTo, visibility] of [
    [undefined, 'PUBLIC'],
    [[], 'PUBLIC'],
    [['*'], 'PUBLIC'],
    [['.'], 'NAMESPACE'],
    [['bank'], 'NAMESPACE'],
    [['.', 'branches'], 'PUBLIC'],
    [['~'], 'NONE'],
    [['~', '.'], 'NAMESPACE'],
  ] as const) {
    it(`is ${visibility} by exportTo ${JSON.stringify(exportTo) ?? 'absent'}`, () => {
      expect(visibilityOf(entry(exportTo === undefined ? {} : { exportTo }))).to.equal(visibility);
    });
  }
});
