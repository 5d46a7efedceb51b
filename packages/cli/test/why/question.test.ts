import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { parseFrom, parseTo } from '../../src/why/question.ts';

describe('question', () => {
  for (const [text, parsed] of [
    ['bank/teller-0', { kind: 'pod', namespace: 'bank', name: 'teller-0' }],
    ['bank/pod/teller-0', { kind: 'pod', namespace: 'bank', name: 'teller-0' }],
    ['bank/deploy/teller', { kind: 'deployment', namespace: 'bank', name: 'teller' }],
    ['bank/sa:teller', { kind: 'account', namespace: 'bank', name: 'teller' }],
    ['bank/sa/teller', { kind: 'account', namespace: 'bank', name: 'teller' }],
  ] as const) {
    it(`reads the caller ${text}`, () => expect(parseFrom(text)).to.deep.equal(parsed));
  }

  for (const [text, parsed] of [
    ['bank/ledger', { kind: 'any', namespace: 'bank', name: 'ledger' }],
    ['bank/svc/ledger:8080', { kind: 'service', namespace: 'bank', name: 'ledger', port: 8080 }],
    ['10.0.0.1:443', { kind: 'address', ip: '10.0.0.1', port: 443 }],
    ['[fd00::1]:443', { kind: 'address', ip: 'fd00::1', port: 443 }],
    ['10.0.0.1', { kind: 'address', ip: '10.0.0.1' }],
  ] as const) {
    it(`reads the destination ${text}`, () => expect(parseTo(text)).to.deep.equal(parsed));
  }

  for (const text of ['', 'ledger', 'bank/svc/ledger', 'a/b/c/d', 'bank/', 'Bank/x']) {
    it(`refuses the caller "${text}"`, () => expect(() => parseFrom(text)).to.throw(MeshError, 'names no caller'));
  }

  for (const text of ['', 'ledger:80', 'bank/ledger:0', 'bank/ledger:65536', 'bank/queue/x', 'bank/ledger:http', '[fd00::1']) {
    it(`refuses the destination "${text}"`, () => expect(() => parseTo(text)).to.throw(MeshError));
  }

  it('answers any text with a reference or with an error of ours', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-z/:.[\]0-9-]{0,20}$/));
    fc.assert(
      fc.property(text, (typed) => {
        for (const parse of [parseFrom, parseTo]) {
          try {
            parse(typed);
          } catch (error) {
            expect(error).to.be.instanceOf(MeshError);
          }
        }
      }),
    );
  });
});
