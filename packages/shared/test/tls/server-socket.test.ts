import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { verificationCode } from '../../src/tls/server-socket.ts';

function socketWith(internals: object): TLSSocket {
  return internals as unknown as TLSSocket;
}

const release = (): boolean => true;

describe('verificationCode', () => {
  for (const [what, internals, expected] of [
    ['a chain that verified', { _handle: { verifyError: () => null }, _releaseControl: release }, undefined],
    [
      'OpenSSL’s code',
      { _handle: { verifyError: () => ({ code: 'CERT_HAS_EXPIRED' }) }, _releaseControl: release },
      'CERT_HAS_EXPIRED',
    ],
    ['an error without a code as a failure', { _handle: { verifyError: () => ({}) }, _releaseControl: release }, 'UNSPECIFIED'],
    ['a Node without verifyError as a failure', { _handle: {}, _releaseControl: release }, 'unavailable'],
    ['a Node without _releaseControl as a failure', { _handle: { verifyError: () => null } }, 'unavailable'],
    ['a socket that is gone as a failure', { _handle: null, _releaseControl: release }, 'unavailable'],
  ] as const) {
    it(`reads ${what}`, () => expect(verificationCode(socketWith(internals))).to.equal(expected));
  }
});
