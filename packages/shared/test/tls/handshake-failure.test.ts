import { expect } from 'chai';
import { describe, it } from 'mocha';
import { failureOf, verificationFailure } from '../../src/tls/handshake-failure.ts';

function errorOf(code: string): Error {
  return Object.assign(new Error('text'), { code });
}

describe('failureOf', () => {
  for (const [code, reason] of [
    ['CERT_HAS_EXPIRED', 'expired'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'unknown-authority'],
    ['INVALID_PURPOSE', 'wrong-usage'],
    ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'no-certificate'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'refused-by-peer'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'refused-by-peer'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'malformed'],
    ['ECONNRESET', 'connection-lost'],
  ] as const) {
    it(`reads ${code} as ${reason}`, () => expect(failureOf(errorOf(code)).reason).to.equal(reason));
  }

  it('keeps the text of an error without a code', () => {
    expect(failureOf(new Error('socket hang up'))).to.deep.equal({ reason: 'connection-lost', detail: 'socket hang up' });
  });
});

describe('verificationFailure', () => {
  it('has a reason for every code of OpenSSL', () => {
    expect(verificationFailure('PATH_LENGTH_EXCEEDED')).to.deep.equal({
      reason: 'invalid-chain',
      detail: 'certificate verification: PATH_LENGTH_EXCEEDED',
    });
  });
});
