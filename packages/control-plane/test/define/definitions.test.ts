/** What the definitions say of fields, without a server: definitions.component.test.ts has one. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parse } from 'yaml';
import { definitionFiles } from '../../src/define/definitions.ts';
import { annotate, notLonger } from '../../src/define/field-note.ts';
import { findKind } from '../../src/manifest/kinds.ts';
import { readObject } from '../../src/watch/cluster-object.ts';
import { rightIstioSpecs, wrongIstioSpecs } from '../fixtures/istio-specs.ts';
import { apiVersionOf, rightSpecs, wrongSpecs } from '../fixtures/specs.ts';
import type { StructuralSchema } from '../../src/define/structural-schema.ts';
import type { ObjectReading } from '../../src/watch/cluster-object.ts';

const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };

function reading(kind: string, spec: object): ObjectReading {
  const apiVersion = apiVersionOf(kind);
  const metadata = kind === 'BankingDomain' ? { name: 'p' } : { name: 'p', namespace: 'ledger' };
  // As a server sends it: what is undefined is not there.
  const written = JSON.parse(JSON.stringify(spec)) as object;
  return readObject(
    { apiVersion, kind, metadata, spec: written } as Parameters<typeof readObject>[0],
    findKind(apiVersion, kind)!,
    rules,
  );
}

function fieldsOf(schema: StructuralSchema, path: string): readonly (readonly [string, StructuralSchema])[] {
  const { properties = {}, items, additionalProperties } = schema;
  return [
    ...Object.entries(properties).flatMap(([name, field]) => [
      [`${path}.${name}`, field] as const,
      ...fieldsOf(field, `${path}.${name}`),
    ]),
    ...(items === undefined ? [] : fieldsOf(items, `${path}[]`)),
    ...(additionalProperties === undefined ? [] : fieldsOf(additionalProperties, `${path}.*`)),
  ];
}

type Definition = {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: StructuralSchema } }[] };
};

describe('the definitions of our kinds', () => {
  for (const [file, text] of definitionFiles()) {
    it(`describe every field: ${file}`, () => {
      const { spec } = parse(text) as Definition;
      for (const { schema } of spec.versions) {
        const { properties: { spec: own } = {} } = schema.openAPIV3Schema;
        const fields = fieldsOf(own!, 'spec');
        expect(fields.length).to.be.greaterThan(10);
        expect(fields.filter(([, { description = '' }]) => !/^\S.*\.$/.test(description)).map(([path]) => path)).to.deep.equal(
          [],
        );
      }
    });
  }

  for (const [title, kind, spec] of [...wrongSpecs, ...wrongIstioSpecs]) {
    it(`refuse nothing that our reader takes: ${title}`, () => {
      expect(reading(kind, spec).kind).to.equal('wrong');
    });
  }

  for (const [title, kind, spec] of [...rightSpecs, ...rightIstioSpecs]) {
    it(`are tried with what our reader takes: ${title}`, () => {
      expect(reading(kind, spec)).to.deep.include({ kind: 'good' });
    });
  }
});

describe('annotate', () => {
  const text: StructuralSchema = { type: 'string' };
  const schema: StructuralSchema = {
    type: 'object',
    properties: { a: text, list: { type: 'array', items: { type: 'object', properties: { b: text } } } },
  };

  it('puts notes to fields, entries and the whole', () => {
    const rule = notLonger('a', 'b');
    const bounds = { minItems: 1 };
    const notes = {
      '': { rules: [rule] },
      a: 'One.',
      list: { description: 'Two.', bounds },
      'list[]': { rules: [] },
      'list[].b': 'Three.',
    };
    expect(annotate(schema, notes)).to.deep.equal({
      type: 'object',
      'x-kubernetes-validations': [rule],
      properties: {
        a: { type: 'string', description: 'One.' },
        list: {
          type: 'array',
          description: 'Two.',
          minItems: 1,
          items: {
            type: 'object',
            'x-kubernetes-validations': [],
            properties: { b: { type: 'string', description: 'Three.' } },
          },
        },
      },
    });
  });

  it('names a field without a note, and a note without a field', () => {
    expect(() => annotate(schema, { a: 'One.' })).to.throw('list has no note');
    const all = { a: 'One.', list: 'Two.', 'list[].b': 'Three.' };
    expect(() => annotate(schema, { ...all, c: 'Four.' })).to.throw('a note on c, which is no field');
  });
});
