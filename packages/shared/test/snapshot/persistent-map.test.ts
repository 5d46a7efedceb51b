import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { PersistentMap } from '../../src/snapshot/persistent-map.ts';

type Step = { readonly key: string; readonly value: number | undefined };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ key: fc.integer({ min: 0, max: 200 }).map((n) => `key-${n}`), value: fc.option(fc.nat(), { nil: undefined }) }),
  { maxLength: 60 },
);

function apply<V>(map: PersistentMap<V>, changes: Iterable<readonly [string, V | undefined]>): PersistentMap<V> {
  const edit = map.edit();
  for (const [key, value] of changes) {
    if (value === undefined) edit.delete(key);
    else edit.set(key, value);
  }
  return edit.done();
}

function sorted(values: Iterable<number>): readonly number[] {
  return [...values].sort((a, b) => a - b);
}

describe('PersistentMap', () => {
  it('equals a plain map after any edits, and older versions stay as they were (P1)', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 12 }), (batches) => {
        const plain = new Map<string, number>();
        let map = PersistentMap.empty<number>();
        const history: { readonly map: PersistentMap<number>; readonly plain: ReadonlyMap<string, number> }[] = [];
        for (const batch of batches) {
          map = apply(
            map,
            batch.map(({ key, value }) => [key, value] as const),
          );
          for (const { key, value } of batch) value === undefined ? plain.delete(key) : plain.set(key, value);
          history.push({ map, plain: new Map(plain) });
        }
        for (const version of history) {
          expect(version.map.size).to.equal(version.plain.size);
          expect(sorted(version.map)).to.deep.equal(sorted(version.plain.values()));
          for (let n = 0; n <= 200; n++) expect(version.map.get(`key-${n}`)).to.equal(version.plain.get(`key-${n}`));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('holds 20,000 entries and gives them all back', () => {
    const entries = Array.from({ length: 20_000 }, (_, n) => [`cluster//Pod/ns-${n % 50}/pod-${n}`, n] as const);
    const map = apply(PersistentMap.empty<number>(), entries);
    expect(map.size).to.equal(20_000);
    expect(entries.every(([key, value]) => map.get(key) === value)).to.equal(true);
    const emptied = apply(
      map,
      entries.map(([key]) => [key, undefined] as const),
    );
    expect([...emptied]).to.deep.equal([]);
    expect(map.get('cluster//Pod/ns-0/pod-0')).to.equal(0);
  });

  it('is the very same map after an edit that changes nothing (P2)', () => {
    const map = apply(PersistentMap.empty<string>(), [['a', 'x']]);
    const edit = map.edit();
    edit.set('a', 'x');
    expect(edit.delete('b')).to.equal(false);
    expect(edit.done()).to.equal(map);
  });

  it('keeps a finished version apart from what the same edit writes later', () => {
    const edit = PersistentMap.empty<number>().edit();
    edit.set('a', 1);
    const first = edit.done();
    edit.set('a', 2);
    edit.set('b', 3);
    const second = edit.done();
    expect([first.get('a'), first.get('b'), second.get('a'), second.get('b')]).to.deep.equal([1, undefined, 2, 3]);
    expect(edit.done()).to.equal(second);
  });

  it('makes its list of values once for each version', () => {
    const map = apply(PersistentMap.empty<number>(), [['a', 1]]);
    expect(map.values()).to.equal(map.values());
  });
});
