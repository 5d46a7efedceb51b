import { expect } from 'chai';
import { describe, it } from 'mocha';
import { sessionEndOf } from '../../src/tunnel/session-end.ts';

describe('sessionEndOf', () => {
  for (const [what, fields, reason] of [
    ['too many invalid frames', { code: 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES' }, 'flood'],
    ['NGHTTP2_ERR_FLOODED', { code: 'ERR_HTTP2_ERROR', errno: -904 }, 'flood'],
    ['NGHTTP2_ERR_PROTO', { code: 'ERR_HTTP2_ERROR', errno: -505 }, 'protocol-violation'],
    ['ECONNRESET', { code: 'ECONNRESET', errno: -104 }, 'connection-lost'],
    ['an alert', { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }, 'connection-lost'],
    ['anything else', {}, 'connection-lost'],
  ] as const) {
    it(`reads ${what} as ${reason}`, () => {
      expect(sessionEndOf(Object.assign(new Error('text'), fields)).reason).to.equal(reason);
    });
  }
});
