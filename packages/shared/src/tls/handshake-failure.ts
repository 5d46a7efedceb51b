/** Why a handshake did not end in a verified peer: a closed list, fit to be a metric label. */

export type HandshakeFailureReason =
  /** The peer sent no certificate (alert 116 went out). */
  | 'no-certificate'
  | 'unknown-authority'
  | 'expired'
  | 'not-yet-valid'
  /** The peer's certificate, or an authority above it, is on a revocation list. */
  | 'revoked'
  /** The extended key usage does not cover the peer's role. */
  | 'wrong-usage'
  /** Any other fault of the chain, such as a path length exceeded. */
  | 'invalid-chain'
  /** No SPIFFE id of the form this mesh knows. */
  | 'no-identity'
  | 'other-trust-domain'
  /** The server proved an identity, but none that was asked for. */
  | 'unexpected-identity'
  /** No TLS 1.3 (alert 70). */
  | 'protocol-version'
  /** Another application protocol than HTTP/2 (alert 120). */
  | 'application-protocol'
  /** No cipher suite or group in common (alert 40). */
  | 'no-shared-parameters'
  /** Bytes that are no TLS handshake. */
  | 'malformed'
  /** The peer ended the handshake with an alert of its own. */
  | 'refused-by-peer'
  | 'timeout'
  | 'connection-lost'
  /** Node no longer offers what verification needs; nothing is accepted. */
  | 'unverifiable';

export type HandshakeFailure = {
  readonly reason: HandshakeFailureReason;
  /** One clause for the log: what was seen. */
  readonly detail: string;
};

const verification: Readonly<Record<string, HandshakeFailureReason>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
  CERT_UNTRUSTED: 'unknown-authority',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  INVALID_PURPOSE: 'wrong-usage',
};

const protocol: Readonly<Record<string, HandshakeFailureReason>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no-certificate',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'protocol-version',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'application-protocol',
  ERR_SSL_NO_SHARED_CIPHER: 'no-shared-parameters',
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 'no-shared-parameters',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'no-shared-parameters',
};

/** The failure behind a code of OpenSSL's chain verification, such as `CERT_HAS_EXPIRED`. */
export function verificationFailure(code: string): HandshakeFailure {
  return { reason: verification[code] ?? 'invalid-chain', detail: `certificate verification: ${code}` };
}

/** The failure behind an error of the TLS socket, or of the TCP connection below it. */
export function failureOf(error: Error): HandshakeFailure {
  const code = 'code' in error ? String(error.code) : '';
  if (code in verification) return verificationFailure(code);
  const known = protocol[code];
  if (known !== undefined) return { reason: known, detail: code };
  // An alert received, as opposed to sent, carries its name in the code: ERR_SSL_TLSV1_ALERT_UNKNOWN_CA.
  if (code.includes('ALERT')) return { reason: 'refused-by-peer', detail: code };
  if (code.startsWith('ERR_SSL')) return { reason: 'malformed', detail: code };
  return { reason: 'connection-lost', detail: code === '' ? error.message : code };
}
