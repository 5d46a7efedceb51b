import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parse } from 'yaml';
import { PatchError, strategicMerge } from '../../src/deploy/strategic-merge.ts';
import type { JsonMap } from '../../src/deploy/strategic-merge.ts';

const yaml = (text: string): JsonMap => parse(text) as JsonMap;
const pod = (spec: string): JsonMap => yaml(`spec: { template: { spec: ${spec} } }`);

/** [title, target, patch, result] */
const cases: readonly (readonly [string, JsonMap, JsonMap, JsonMap])[] = [
  [
    'merges maps key by key',
    yaml('spec: { a: 1, b: { c: 2 } }'),
    yaml('spec: { b: { d: 3 } }'),
    yaml('spec: { a: 1, b: { c: 2, d: 3 } }'),
  ],
  ['removes a key by null', yaml('spec: { a: 1, b: 2 }'), yaml('spec: { a: null }'), yaml('spec: { b: 2 }')],
  [
    'replaces a list without names',
    pod('{ tolerations: [{ key: a }] }'),
    pod('{ tolerations: [{ key: b }] }'),
    pod('{ tolerations: [{ key: b }] }'),
  ],
  [
    'merges containers by name',
    pod('{ containers: [{ name: a, image: x, tty: true }] }'),
    pod('{ containers: [{ name: a, image: y }, { name: b }] }'),
    pod('{ containers: [{ name: a, image: y, tty: true }, { name: b }] }'),
  ],
  [
    'merges environment by name and mounts by path',
    pod('{ containers: [{ name: a, env: [{ name: A, value: "1" }], volumeMounts: [{ mountPath: /a, name: v }] }] }'),
    pod(
      '{ containers: [{ name: a, env: [{ name: A, value: "2" }, { name: B, value: "3" }], volumeMounts: [{ mountPath: /a, readOnly: true }] }] }',
    ),
    pod(
      '{ containers: [{ name: a, env: [{ name: A, value: "2" }, { name: B, value: "3" }], volumeMounts: [{ mountPath: /a, name: v, readOnly: true }] }] }',
    ),
  ],
  [
    'merges container ports by number',
    pod('{ containers: [{ name: a, ports: [{ containerPort: 1, name: one }] }] }'),
    pod('{ containers: [{ name: a, ports: [{ containerPort: 1, hostPort: 9 }] }] }'),
    pod('{ containers: [{ name: a, ports: [{ containerPort: 1, name: one, hostPort: 9 }] }] }'),
  ],
  [
    'merges ports of a Service by number',
    yaml('spec: { ports: [{ port: 1, name: one }] }'),
    yaml('spec: { ports: [{ port: 1, nodePort: 30001 }, { port: 2 }] }'),
    yaml('spec: { ports: [{ port: 1, name: one, nodePort: 30001 }, { port: 2 }] }'),
  ],
  [
    'deletes an item by its name',
    pod('{ volumes: [{ name: a }, { name: b }] }'),
    pod('{ volumes: [{ name: a, $patch: delete }] }'),
    pod('{ volumes: [{ name: b }] }'),
  ],
  [
    'replaces a whole list of named items',
    pod('{ volumes: [{ name: a }, { name: b }] }'),
    pod('{ volumes: [{ $patch: replace }, { name: c }] }'),
    pod('{ volumes: [{ name: c }] }'),
  ],
  [
    'replaces an item',
    pod('{ containers: [{ name: a, image: x, tty: true }] }'),
    pod('{ containers: [{ name: a, image: y, $patch: replace }] }'),
    pod('{ containers: [{ name: a, image: y }] }'),
  ],
  [
    'replaces a map',
    yaml('spec: { a: { b: 1 } }'),
    yaml('spec: { a: { $patch: replace, c: 2 } }'),
    yaml('spec: { a: { c: 2 } }'),
  ],
  ['deletes a map', yaml('spec: { a: { b: 1 }, c: 1 }'), yaml('spec: { a: { $patch: delete } }'), yaml('spec: { c: 1 }')],
  [
    'keeps what $retainKeys names',
    yaml('spec: { strategy: { type: RollingUpdate, rollingUpdate: {} } }'),
    yaml('spec: { strategy: { $retainKeys: [type], type: Recreate } }'),
    yaml('spec: { strategy: { type: Recreate } }'),
  ],
  [
    'spreads over several keys',
    pod('{ topologySpreadConstraints: [{ topologyKey: zone, maxSkew: 1 }] }'),
    pod('{ topologySpreadConstraints: [{ topologyKey: zone, maxSkew: 2 }] }'),
    pod('{ topologySpreadConstraints: [{ topologyKey: zone, maxSkew: 2 }] }'),
  ],
  [
    'leaves no directive behind in new maps',
    yaml('spec: {}'),
    yaml('spec: { a: { b: { $patch: merge, c: 1 } } }'),
    yaml('spec: { a: { b: { c: 1 } } }'),
  ],
  [
    'ignores the order of merged lists',
    yaml('spec: {}'),
    yaml('spec: { $setElementOrder/ports: [{ port: 1 }], a: 1 }'),
    yaml('spec: { a: 1 }'),
  ],
];

/** [title, patch, path] */
const wrong: readonly (readonly [string, JsonMap, string])[] = [
  ['an unknown directive', yaml('spec: { $deleteFromPrimitiveList/x: [a] }'), 'spec.$deleteFromPrimitiveList/x'],
  ['an unknown word', yaml('spec: { $patch: remove }'), 'spec.$patch'],
  ['an item without a name', pod('{ containers: [{ image: x }] }'), 'spec.template.spec.containers'],
  ['an item that is no map', pod('{ containers: [x] }'), 'spec.template.spec.containers'],
  ['keys to retain that are no list', yaml('spec: { $retainKeys: a }'), 'spec.$retainKeys'],
];

const value = fc.letrec<{ readonly value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.string().filter((key) => !key.startsWith('$')),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value;
const anyMap = fc.dictionary(
  fc.string().filter((key) => !key.startsWith('$')),
  value,
) as fc.Arbitrary<JsonMap>;

describe('strategicMerge', () => {
  for (const [title, target, patch, result] of cases) {
    it(title, () => {
      const before = structuredClone(target);
      expect(strategicMerge(target, patch)).to.deep.equal(result);
      expect(target, 'the target stays as it is').to.deep.equal(before);
    });
  }

  for (const [title, patch, path] of wrong) {
    it(`refuses ${title}, and says where`, () => {
      expect(() => strategicMerge(pod('{ containers: [] }'), patch))
        .to.throw(PatchError)
        .that.has.property('path', path);
    });
  }

  it('changes nothing with an empty patch', () => {
    fc.assert(
      fc.property(anyMap, (target) => {
        expect(strategicMerge(target, {})).to.deep.equal(target);
      }),
    );
  });

  it('gives the same when it is done twice', () => {
    fc.assert(
      fc.property(anyMap, anyMap, (target, patch) => {
        fc.pre(!containsListKeys(patch));
        const once = strategicMerge(target, patch);
        expect(strategicMerge(once, patch)).to.deep.equal(once);
      }),
    );
  });

  it('never reaches a prototype', () => {
    const patch = JSON.parse('{ "__proto__": { "polluted": 1 } }') as JsonMap;
    expect(Object.keys(strategicMerge({}, patch))).to.deep.equal(['__proto__']);
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  });
});

/** Named lists need names; random ones have none. */
function containsListKeys(patch: JsonMap): boolean {
  return ['imagePullSecrets', 'secrets'].some((key) => Object.hasOwn(patch, key));
}
