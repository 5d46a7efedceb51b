/** What the environment asks of a proxy's TLS (l4-contract section 2.6). */
import { getFips } from 'node:crypto';
import type { EnvironmentReader } from '../lifecycle/environment.ts';
import type { KeyExchange, TlsPolicy } from './tls-policy.ts';

/**
 * TLS12_ENABLED and COMPLIANCE_POLICY. A policy is refused where it would be a word only: nothing but a validated module
 * makes a proxy one of FIPS, and which one runs is decided before this program is.
 * @param facts.fips whether OpenSSL runs with its FIPS module and nothing else
 */
export function readTlsPolicy(
  reader: EnvironmentReader,
  facts: { readonly fips: boolean } = { fips: getFips() === 1 },
): TlsPolicy {
  const tls12 = reader.boolean('TLS12_ENABLED', false);
  const policy = reader.text('COMPLIANCE_POLICY', '');
  if (tls12 && policy === 'pqc')
    reader.reject(
      'TLS12_ENABLED',
      'TLS 1.2 has no post-quantum key exchange, which COMPLIANCE_POLICY=pqc asks for; unset one of the two',
    );
  return { tls12, keyExchange: keyExchangeOf(reader, policy, facts) };
}

function keyExchangeOf(reader: EnvironmentReader, policy: string, { fips }: { readonly fips: boolean }): KeyExchange {
  switch (policy) {
    case '':
      return 'any';
    case 'pqc':
      return 'post-quantum';
    case 'fips-140-2':
      if (!fips)
        reader.reject(
          'COMPLIANCE_POLICY',
          'the OpenSSL of this Node does not run in FIPS mode, so that no choice of suites would make it compliant; start a Node that is linked with a validated module with --force-fips, or unset it',
        );
      return 'nist-curves';
    default:
      reader.reject('COMPLIANCE_POLICY', 'set it to pqc or fips-140-2, or unset it');
      return 'any';
  }
}
