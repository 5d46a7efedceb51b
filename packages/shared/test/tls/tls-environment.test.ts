import { expect } from 'chai';
import { describe, it } from 'mocha';
import { EnvironmentReader } from '../../src/lifecycle/environment.ts';
import { readTlsPolicy } from '../../src/tls/tls-environment.ts';
import type { TlsPolicy } from '../../src/tls/tls-policy.ts';

function read(env: Record<string, string>, fips = false): TlsPolicy {
  const reader = new EnvironmentReader(env);
  const policy = readTlsPolicy(reader, { fips });
  reader.finish();
  return policy;
}

describe('readTlsPolicy', () => {
  const accepted: readonly [string, Record<string, string>, boolean, TlsPolicy][] = [
    ['nothing', {}, false, { tls12: false, keyExchange: 'any' }],
    ['TLS 1.2', { TLS12_ENABLED: 'true' }, false, { tls12: true, keyExchange: 'any' }],
    ['pqc', { COMPLIANCE_POLICY: 'pqc' }, false, { tls12: false, keyExchange: 'post-quantum' }],
    [
      'fips-140-2 in FIPS mode',
      { COMPLIANCE_POLICY: 'fips-140-2', TLS12_ENABLED: 'true' },
      true,
      { tls12: true, keyExchange: 'nist-curves' },
    ],
  ];
  for (const [title, env, fips, policy] of accepted) {
    it(`accepts ${title}`, () => expect(read(env, fips)).to.deep.equal(policy));
  }

  const rejected: readonly [string, Record<string, string>, RegExp][] = [
    ['fips-140-2 where no module makes it true', { COMPLIANCE_POLICY: 'fips-140-2' }, /"fips-140-2": .*not run in FIPS mode/],
    ['a policy that nobody knows', { COMPLIANCE_POLICY: 'cnsa' }, /COMPLIANCE_POLICY="cnsa": set it to pqc or fips-140-2/],
    ['TLS 1.2 beside pqc', { COMPLIANCE_POLICY: 'pqc', TLS12_ENABLED: 'true' }, /TLS12_ENABLED="true": .*no post-quantum/],
    ['a word that is no truth', { TLS12_ENABLED: 'yes' }, /TLS12_ENABLED="yes": set it to true or false/],
  ];
  for (const [title, env, message] of rejected) {
    it(`rejects ${title}`, () => expect(() => read(env)).to.throw(message));
  }
});
