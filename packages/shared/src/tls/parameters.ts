/** What every mesh connection offers and accepts (l4-contract section 2.6; design decision 10). */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/** RFC 9113 section 3.2: HTTP/2 over TLS. */
export const alpnProtocols: readonly string[] = ['h2'];

/**
 * TLS 1.3 only, without ChaCha20. Only the first group gets a key share in the ClientHello, so a peer that lacks
 * X25519MLKEM768 costs one HelloRetryRequest (RFC 8446 section 4.1.4) and gets one of the others.
 */
export const meshTlsParameters: Pick<
  SecureContextOptions,
  'minVersion' | 'maxVersion' | 'ciphers' | 'ecdhCurve' | 'honorCipherOrder' | 'secureOptions' | 'allowPartialTrustChain'
> = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
  honorCipherOrder: true,
  // A resumed session would skip the certificates. Without self-contained tickets and without a store there is none to resume.
  secureOptions: constants.SSL_OP_NO_TICKET,
  // Whatever the CA names as a root is a trust anchor (RFC 5280 section 6.1.1 d), be it self-signed or not.
  allowPartialTrustChain: true,
};
