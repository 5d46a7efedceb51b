import { expect } from 'chai';
import { describe, it } from 'mocha';
import { isDefect } from '@clearmesh/shared/observe/defects';

const error = (fields: Record<string, unknown>): Error => Object.assign(new Error('x'), fields);

describe('isDefect', () => {
  const cases: readonly [string, unknown, boolean][] = [
    ['a TypeError', new TypeError('x'), true],
    ['a thrown text', 'x', true],
    ['an error of a file', error({ code: 'ENOENT', syscall: 'open' }), true],
    ['an argument of ours that Node refuses', error({ code: 'ERR_INVALID_ARG_TYPE' }), true],
    ['a reset', error({ code: 'ECONNRESET', syscall: 'read' }), false],
    ['a broken pipe', error({ code: 'EPIPE', syscall: 'write' }), false],
    ['a refused connection', error({ code: 'ECONNREFUSED', syscall: 'connect' }), false],
    ['a broken HTTP/2 session', error({ code: 'ERR_HTTP2_SESSION_ERROR' }), false],
    ['a bad TLS record', error({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' }), false],
    ['a TLS connection lost before its handshake, which names no call', error({ code: 'ECONNRESET' }), false],
    ['a refusal by a gRPC peer', error({ name: 'ConnectError', code: 14 }), false],
    ['an error with a number for a code', error({ code: 14 }), true],
    ['a stream that closed early', error({ code: 'ERR_STREAM_PREMATURE_CLOSE' }), false],
  ];
  for (const [title, thrown, expected] of cases) {
    it(`${expected ? 'counts' : 'does not count'} ${title}`, () => expect(isDefect(thrown)).to.equal(expected));
  }
});
