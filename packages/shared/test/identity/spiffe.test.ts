import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { identityParts, parseSpiffeId, principalOf, spiffeId } from '@clearmesh/shared/identity/spiffe';

const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/);

describe('SPIFFE ids', () => {
  const accepted: readonly string[] = [
    'spiffe://cluster.local/ns/bank/sa/teller',
    'spiffe://td/ns/a/sa/b',
    'spiffe://td_1.example/ns/a.b/sa/A-b_c',
  ];
  for (const text of accepted) it(`accepts ${text}`, () => expect(parseSpiffeId(text)).to.equal(text));

  const refused: readonly string[] = [
    '',
    'cluster.local/ns/bank/sa/teller',
    'https://cluster.local/ns/bank/sa/teller',
    'SPIFFE://cluster.local/ns/bank/sa/teller',
    'spiffe://Cluster.local/ns/bank/sa/teller',
    'spiffe:///ns/bank/sa/teller',
    'spiffe://cluster.local',
    'spiffe://cluster.local/',
    'spiffe://cluster.local/ns/bank',
    'spiffe://cluster.local/ns//sa/teller',
    'spiffe://cluster.local/ns/bank/sa/',
    'spiffe://cluster.local/ns/bank/sa/teller/',
    'spiffe://cluster.local/ns/bank/sa/teller/x',
    'spiffe://cluster.local/x/ns/bank/sa/teller',
    'spiffe://cluster.local/ns/../sa/teller',
    'spiffe://cluster.local/ns/bank/sa/..',
    'spiffe://cluster.local/ns/bank/sa/.',
    'spiffe://cluster.local:443/ns/bank/sa/teller',
    'spiffe://user@cluster.local/ns/bank/sa/teller',
    'spiffe://cluster.local/ns/bank/sa/tell%65r',
    'spiffe://cluster.local/ns/bank/sa/teller?x',
    'spiffe://cluster.local/ns/bank/sa/teller#x',
    'spiffe://cluster.local/ns/bank/sa/teller\n',
    'spiffe://cluster.local/ns/bank/sa/tell\0er',
    'spiffe://cluster.local/ns/bänk/sa/teller',
    `spiffe://${'a'.repeat(256)}/ns/bank/sa/teller`,
    `spiffe://cluster.local/ns/bank/sa/${'a'.repeat(2048)}`,
  ];
  for (const text of refused)
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => expect(parseSpiffeId(text)).to.equal(undefined));

  it('are made of parts, and fall into them again', () => {
    fc.assert(
      fc.property(fc.record({ trustDomain: name, namespace: name, serviceAccount: name }, { noNullPrototype: true }), (parts) => {
        const id = spiffeId(parts);
        expect(parseSpiffeId(id)).to.equal(id);
        expect(identityParts(id)).to.deep.equal(parts);
        expect(`spiffe://${principalOf(id)}`).to.equal(id);
      }),
    );
  });

  it('never throw on any text', () => {
    const shaped = fc.tuple(fc.string(), fc.string(), fc.string()).map(([td, ns, sa]) => `spiffe://${td}/ns/${ns}/sa/${sa}`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), shaped), (text) => {
        const id = parseSpiffeId(text);
        if (id !== undefined) expect(spiffeId(identityParts(id))).to.equal(id);
      }),
    );
  });
});
