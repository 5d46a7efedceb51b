import { expect } from 'chai';
import { describe, it } from 'mocha';
import { errorCodeName } from '../../src/http2/error-code.ts';

describe('errorCodeName', () => {
  for (const [code, name] of [
    [0, 'NO_ERROR'],
    [7, 'REFUSED_STREAM'],
    [8, 'CANCEL'],
    [11, 'ENHANCE_YOUR_CALM'],
    [99, 'code 99'],
  ] as const) {
    it(`calls ${code} ${name}`, () => expect(errorCodeName(code)).to.equal(name));
  }
});
