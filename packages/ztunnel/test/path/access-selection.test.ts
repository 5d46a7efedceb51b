import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { AccessSelection, parseAccessFilter, parseAccessShares } from '../../src/path/access-selection.ts';
import type { AccessEntry, AccessFate } from '../../src/path/access-selection.ts';

const entry: AccessEntry = { result: 'ok', direction: 'outbound', flag: '-', namespaces: ['bank', 'ledger'] };
const denied: AccessEntry = { ...entry, result: 'denied', flag: 'DENY' };
const failed: AccessEntry = { ...entry, result: 'failed', flag: 'CONNECT' };

/** What becomes of a line of a pod in namespace `branch`, where the dice say 0.5. */
function fateOf(options: { readonly filter?: string; readonly shares?: string }, of: AccessEntry): AccessFate {
  const fates: AccessFate[] = [];
  const selection = new AccessSelection(
    { filter: parseAccessFilter(options.filter ?? '')!, shares: parseAccessShares(options.shares ?? '')! },
    { random: { unit: () => 0.5 }, metrics: { accessLine: (fate) => fates.push(fate) } },
  );
  const wanted = selection.ofPod({ namespace: 'branch' }).isWanted(of);
  expect(fates).to.have.length(1);
  expect(wanted).to.equal(fates[0] === 'written');
  return fates[0]!;
}

describe('the choice of access log lines', () => {
  it('writes all of them unless told otherwise', () => {
    for (const each of [entry, denied, failed]) expect(fateOf({}, each)).to.equal('written');
  });

  const filtered: readonly [string, AccessEntry, AccessFate][] = [
    ['result=denied', entry, 'filtered'],
    ['result=denied', denied, 'written'],
    ['result=denied|failed', failed, 'written'],
    ['direction=inbound', entry, 'filtered'],
    ['direction=inbound|outbound', entry, 'written'],
    ['flag=DENY|NWP', denied, 'written'],
    ['flag=DENY|NWP', failed, 'filtered'],
    ['namespace=bank', entry, 'written'],
    ['namespace=ledger', entry, 'written'],
    ['namespace=branch', entry, 'written'],
    ['namespace=cards', entry, 'filtered'],
    ['namespace=cards', denied, 'filtered'],
    ['result=ok,namespace=bank', entry, 'written'],
    ['result=ok,namespace=bank', denied, 'filtered'],
  ];
  for (const [filter, of, fate] of filtered) {
    it(`by ${filter}: a line that is ${of.result} is ${fate}`, () => expect(fateOf({ filter }, of)).to.equal(fate));
  }

  const sampled: readonly [string, AccessEntry, AccessFate][] = [
    ['0.6', entry, 'written'],
    ['0.4', entry, 'sampled-out'],
    ['0', entry, 'sampled-out'],
    ['0', denied, 'written'],
    ['0', failed, 'written'],
    ['ok=0,failed=0.4', failed, 'sampled-out'],
    ['ok=0,failed=0.4', denied, 'written'],
    ['denied=0', denied, 'sampled-out'],
    ['0', { ...entry, isSpan: true }, 'written'],
  ];
  for (const [shares, of, fate] of sampled) {
    const what = of.isSpan === true ? 'the record of a span' : of.result;
    it(`with shares ${shares}: a line that is ${what} is ${fate}`, () => expect(fateOf({ shares }, of)).to.equal(fate));
  }

  it('is the same for one trace wherever it is made, and keeps that share of traces', () => {
    const traces = Array.from({ length: 4_000 }, (_, i) => ((i * 2_654_435_761) >>> 0).toString(16).padStart(32, '0'));
    const kept = traces.filter((traceId) => fateOf({ shares: '0.25' }, { ...entry, traceId }) === 'written');
    expect(kept.length).to.be.within(900, 1_100);
    for (const traceId of kept)
      expect(fateOf({ shares: '0.25' }, { ...entry, direction: 'inbound', traceId })).to.equal('written');
  });

  for (const text of [
    'result',
    'result=',
    'result=maybe',
    'colour=red',
    'result=ok,result=failed',
    'result=ok=failed',
    '__proto__=ok',
    'constructor=ok',
    'flag=deny',
  ]) {
    it(`has no filter ${text}`, () => expect(parseAccessFilter(text)).to.equal(undefined));
  }

  for (const text of ['2', '-1', 'ok', 'ok=x', 'ok=0.1,0.2', 'never=1', '1e3']) {
    it(`has no shares ${text}`, () => expect(parseAccessShares(text)).to.equal(undefined));
  }

  it('reads or refuses any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const shares = parseAccessShares(text);
        for (const share of Object.values(shares ?? {})) expect(share).to.be.within(0, 1);
        parseAccessFilter(text);
      }),
    );
  });
});
