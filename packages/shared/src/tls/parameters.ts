/** What every mesh connection offers and accepts (l4-contract section 2.6; design decision 10). */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { defaultTlsPolicy } from './tls-policy.ts';
import type { KeyExchange, TlsPolicy } from './tls-policy.ts';

/** RFC 9113 section 3.2: HTTP/2 over TLS. */
export const alpnProtocols: readonly string[] = ['h2'];

type Offer = Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'ecdhCurve'>;

/** Without ChaCha20, which FIPS modules lack. */
const suites13 = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256'];
const suites12 = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
];

/**
 * Only the first group gets a key share in the ClientHello, so a peer that lacks X25519MLKEM768 costs one HelloRetryRequest
 * (RFC 8446 section 4.1.4) and gets one of the others.
 */
const groups: Readonly<Record<KeyExchange, string>> = {
  any: 'X25519MLKEM768:X25519:P-256:P-384',
  'post-quantum': 'X25519MLKEM768',
  'nist-curves': 'P-256:P-384',
};

/** For the context of a certificate, in both roles. */
export function meshTlsParameters(
  policy: TlsPolicy = defaultTlsPolicy,
): Offer & Pick<SecureContextOptions, 'honorCipherOrder' | 'secureOptions' | 'allowPartialTrustChain'> {
  return {
    ...offer(policy),
    honorCipherOrder: true,
    // A resumed session would skip the certificates. Without self-contained tickets and without a store there is none to
    // resume. A renegotiation, which TLS 1.2 has, could change them.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    // Whatever the CA names as a root is a trust anchor (RFC 5280 section 6.1.1 d), be it self-signed or not.
    allowPartialTrustChain: true,
  };
}

/** For connections to the control plane: what a policy asks of the mesh, it asks of them too. */
export function controlPlaneTlsParameters(policy: TlsPolicy = defaultTlsPolicy): Offer {
  return policy.keyExchange === 'any' && !policy.tls12 ? { minVersion: 'TLSv1.3' } : offer(policy);
}

function offer({ tls12, keyExchange }: TlsPolicy): Offer {
  return {
    minVersion: tls12 ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: [...suites13, ...(tls12 ? suites12 : [])].join(':'),
    ecdhCurve: groups[keyExchange],
  };
}
