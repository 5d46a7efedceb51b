import { expect } from 'chai';
import { describe, it } from 'mocha';
import { extraHeaders, nodeMetadata } from '../../src/discovery/node-metadata.ts';

describe('nodeMetadata (section 3.1)', () => {
  it('takes ISTIO_META_ as text and ISTIO_METAJSON_ as JSON, and nothing else', () => {
    const env = { ISTIO_META_FLAVOUR: 'plum', ISTIO_METAJSON_TREE: '{"a":[1,true]}', PATH: '/bin', ISTIO_META_GONE: undefined };
    expect(nodeMetadata(env)).to.deep.equal({ FLAVOUR: 'plum', TREE: { a: [1, true] } });
  });

  it('refuses JSON that is none, and names the variable', () => {
    expect(() => nodeMetadata({ ISTIO_METAJSON_TREE: '{' })).to.throw('ISTIO_METAJSON_TREE="{" is no JSON [MESH-CONFIG-003]');
  });
});

describe('extraHeaders (section 3.1)', () => {
  it('takes the rest of the name as header', () => {
    expect(extraHeaders('XDS_HEADER_', { 'XDS_HEADER_x-extra': 'one', 'CA_HEADER_x-ca': 'two' })).to.deep.equal({
      'x-extra': 'one',
    });
  });
});
