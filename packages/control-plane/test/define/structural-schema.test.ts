import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Type } from 'typebox';
import { structuralSchema } from '../../src/define/structural-schema.ts';
import { patterned } from '../../src/manifest/patterned.ts';

describe('structuralSchema', () => {
  it('says of an object what may be structural', () => {
    const schema = Type.Object(
      {
        mode: Type.Enum(['key', 'native']),
        count: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
        labels: Type.Optional(Type.Record(Type.String(), Type.String())),
        paths: Type.Optional(Type.Array(patterned(/^\/[^/]+$/, 'a path'))),
        other: Type.Optional(Type.Unknown()),
      },
      { additionalProperties: false },
    );
    expect(structuralSchema(schema)).to.deep.equal({
      type: 'object',
      required: ['mode'],
      properties: {
        mode: { type: 'string', enum: ['key', 'native'] },
        count: { type: 'integer', minimum: 1, maximum: 9 },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        paths: { type: 'array', items: { type: 'string', pattern: '^/[^/]+$' } },
        other: { 'x-kubernetes-preserve-unknown-fields': true },
      },
    });
  });

  it('names the part that cannot be said', () => {
    const schema = Type.Object({ port: Type.Array(Type.Union([Type.Integer(), Type.String()])) });
    expect(() => structuralSchema(schema)).to.throw('spec.port[]: anyOf cannot be said');
    expect(() => structuralSchema(Type.Object({ on: Type.String() }))).to.throw('spec.on: kubectl reads');
    expect(() => structuralSchema(Type.Object({ none: Type.Null() }))).to.throw('spec.none: type null');
    expect(() => structuralSchema(Type.Object({ one: Type.Enum([1, 2]) }))).to.throw('spec.one: an enumeration');
  });
});
