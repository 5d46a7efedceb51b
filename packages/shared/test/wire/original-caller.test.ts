import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { identity } from '@clearmesh/shared/testing/builders';
import { originalCallerHeader, parseOriginalCaller } from '@clearmesh/shared/wire/original-caller';

const payments = identity('bank', 'payments');

describe('the original caller (design decision 3)', () => {
  it('has a name of ours on the wire', () => expect(originalCallerHeader).to.equal('x-clearmesh-caller'));

  it('is one SPIFFE id', () => expect(parseOriginalCaller(payments)).to.equal(payments));

  const refused: readonly string[] = [
    '',
    'payments',
    ` ${payments}`,
    `${payments} `,
    `${payments}\n`,
    `"${payments}"`,
    `${payments},${payments}`,
    `${payments};by=waypoint`,
    payments.slice('spiffe://'.length),
    payments.toUpperCase(),
    'spiffe://cluster.local/node/a',
    'spiffe://cluster.local/ns/../sa/payments',
    identity('bank', 'a'.repeat(2_048)),
  ];
  for (const text of refused) {
    it(`is not ${JSON.stringify(text.slice(0, 80))}`, () => expect(parseOriginalCaller(text)).to.equal(undefined));
  }

  it('is any text as it is, or nothing, and never throws', () =>
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([text, undefined]).to.include(parseOriginalCaller(text));
      }),
    ));
});
