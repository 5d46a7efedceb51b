import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { askedBody } from '../../src/authorise/opa-body.ts';
import { opaInput } from '../../src/authorise/opa-input.ts';
import type { OpaQuestion } from '../../src/authorise/opa-input.ts';
import { parsePathSegments, parseQuery } from '../../src/authorise/opa-path.ts';
import { payments, request } from './requests.ts';

type Json = Readonly<Record<string, unknown>>;

function inputFor(question: Partial<OpaQuestion>): Json {
  const input = opaInput({ request: request(), token: undefined, contextExtensions: {}, domain: 'ledger', ...question });
  if (input.kind === 'unreadable') throw new Error(input.reason);
  return JSON.parse(input.text()) as Json;
}

function parsedBody(type: string, body: string | Buffer, truncated = false): Json {
  const headers = { 'content-type': type };
  const { parsed_body, truncated_body } = inputFor({
    request: request({ method: 'POST', headers }),
    body: askedBody(Buffer.from(body), truncated),
  });
  return { parsed_body, truncated_body };
}

function unreadable(question: Partial<OpaQuestion>): string | undefined {
  const input = opaInput({ request: request(), token: undefined, contextExtensions: {}, domain: 'ledger', ...question });
  return input.kind === 'unreadable' ? input.reason : undefined;
}

describe('the input of an OPA policy', () => {
  it('is that of the OPA-Envoy plugin, and attributes.mesh beside it', () => {
    const body = '{"name":"Zoe", "branch":7}';
    const asked = request({
      method: 'POST',
      authority: 'ledger.bank:8443',
      path: '/clients',
      query: 'lang=en',
      headers: {
        host: 'ledger.bank:8443',
        accept: '*/*',
        'content-length': '26',
        'content-type': 'application/json',
        'set-cookie': ['a=1', 'b=2'],
      },
      receivedAtMs: Date.parse('2026-03-04T05:06:07.089Z'),
    });
    const input = inputFor({
      request: asked,
      body: askedBody(Buffer.from(body), false),
      contextExtensions: { region: 'east' },
      cluster: 'east',
      deadlineMs: 1_500,
      token: { principal: 'iss/alice', claims: { sub: 'alice' } },
    });
    expect(input).to.deep.equal({
      attributes: {
        source: {
          address: { socketAddress: { address: '10.1.0.7', portValue: 41_000 } },
          principal: 'spiffe://cluster.local/ns/payments/sa/payments',
        },
        destination: {
          address: { socketAddress: { address: '10.96.0.20', portValue: 8_080 } },
          service: 'ledger.ledger.svc.cluster.local',
        },
        request: {
          time: '2026-03-04T05:06:07.089Z',
          http: {
            id: '6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11',
            method: 'POST',
            headers: {
              ':authority': 'ledger.bank:8443',
              ':method': 'POST',
              ':path': '/clients?lang=en',
              ':scheme': 'http',
              accept: '*/*',
              'content-length': '26',
              'content-type': 'application/json',
              'set-cookie': 'a=1,b=2',
              'x-envoy-auth-partial-body': 'false',
            },
            path: '/clients?lang=en',
            host: 'ledger.bank:8443',
            scheme: 'http',
            protocol: 'HTTP/1.1',
            size: 26,
            body,
          },
        },
        metadataContext: { filterMetadata: { 'envoy.filters.http.jwt_authn': { verified_jwt: { sub: 'alice' } } } },
        contextExtensions: { region: 'east' },
        mesh: {
          source: {
            spiffe_id: 'spiffe://cluster.local/ns/payments/sa/payments',
            trust_domain: 'cluster.local',
            namespace: 'payments',
            service_account: 'payments',
          },
          destination: { service: 'ledger.ledger.svc.cluster.local', namespace: 'ledger', port: 8_080 },
          domain: 'ledger',
          cluster: 'east',
          request_principal: 'iss/alice',
          claims: { sub: 'alice' },
          deadline_ms: 1_500,
          tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
        },
      },
      parsed_path: ['clients'],
      parsed_query: { lang: ['en'] },
      parsed_body: { name: 'Zoe', branch: 7 },
      truncated_body: false,
      source_principal: 'spiffe://cluster.local/ns/payments/sa/payments',
      version: { ext_authz: 'v3', encoding: 'protojson' },
    });
  });

  it('leaves out what has no value', () => {
    const { attributes } = inputFor({ request: request({ caller: { ...payments, address: socketAddress('10.1.0.7:0') } }) });
    const { source, metadataContext } = attributes as Readonly<Record<string, Json>>;
    expect(source?.['address']).to.deep.equal({ socketAddress: { address: '10.1.0.7' } });
    expect(metadataContext).to.deep.equal({});
    expect(attributes).not.to.have.property('contextExtensions');
  });

  it('survives names that JavaScript gives a meaning', () => {
    const input = inputFor({ request: request({ query: '__proto__=1&constructor=2' }) });
    expect(Object.entries(input['parsed_query'] as Json)).to.deep.equal([
      ['__proto__', ['1']],
      ['constructor', ['2']],
    ]);
  });
});

describe('parsed_path', () => {
  const rows: readonly (readonly [path: string, segments: readonly string[] | undefined])[] = [
    ['/', ['']],
    ['/a/b', ['a', 'b']],
    ['//a/b/', ['a', 'b', '']],
    ['/a%2Fb', ['a', 'b']],
    ['/a%20b', ['a b']],
    ['/a+b', ['a+b']],
    ['/%E2%82%AC', ['€']],
    ['/%ff', ['\uFFFD']],
    ['/%E2%82%AC%ff', ['€\uFFFD']],
    ['/%zz', undefined],
    ['/%', undefined],
  ];
  for (const [path, segments] of rows) {
    it(`of ${path} is ${JSON.stringify(segments)}`, () => expect(parsePathSegments(path)).to.deep.equal(segments));
  }
});

describe('parsed_query', () => {
  const rows: readonly (readonly [query: string, values: Readonly<Record<string, readonly string[]>> | undefined])[] = [
    ['', {}],
    ['a=1&a=2&b=', { a: ['1', '2'], b: [''] }],
    ['a', { a: [''] }],
    ['a+b=c%20d', { 'a b': ['c d'] }],
    ['=x', { '': ['x'] }],
    ['&&a=1&', { a: ['1'] }],
    ['a=1;b=2', undefined],
    ['a=%', undefined],
  ];
  for (const [query, values] of rows) {
    it(`of ${JSON.stringify(query)} is ${JSON.stringify(values)}`, () => {
      const parsed = parseQuery(query);
      expect(parsed && { ...parsed }).to.deep.equal(values);
    });
  }

  it('reads any text without throwing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseQuery(text);
        parsePathSegments(text);
      }),
    );
  });
});

describe('parsed_body', () => {
  const rows: readonly (readonly [title: string, type: string, body: string, parsed: unknown])[] = [
    ['JSON', 'application/json', '{"a":[1,"2",null]}', { a: [1, '2', null] }],
    ['JSON with a charset', 'application/json; charset=utf-8', '7', 7],
    ['form data', 'application/x-www-form-urlencoded', 'a=1&a=2&b=x+y', { a: ['1', '2'], b: ['x y'] }],
    ['anything else', 'text/plain', '{"a":1}', null],
    ['no body', 'application/json', '', null],
  ];
  for (const [title, type, body, parsed] of rows) {
    it(`of ${title} is ${JSON.stringify(parsed)}`, () => {
      expect(parsedBody(type, body)).to.deep.equal({ parsed_body: parsed, truncated_body: false });
    });
  }

  it('of a truncated body is null, and says so', () => {
    expect(parsedBody('application/json', '{"a":1', true)).to.deep.equal({ parsed_body: null, truncated_body: true });
  });

  const refused: readonly (readonly [title: string, type: string, body: string | Buffer, reason: RegExp])[] = [
    ['malformed JSON', 'application/json', '{"a":', /not the JSON/],
    ['half a surrogate pair', 'application/json', '{"a":"\\ud800"}', /escape that is no character/],
    ['bytes that are no text', 'application/json', Buffer.from([0x22, 0xff, 0x22]), /no UTF-8/],
    ['a nest without end', 'application/json', '['.repeat(100_000), /nests deeper/],
    ['form data with a semicolon', 'application/x-www-form-urlencoded', 'a=1;b=2', /not the form data/],
  ];
  for (const [title, type, body, reason] of refused) {
    it(`is refused for ${title}`, () => {
      const asked = request({ headers: { 'content-type': type } });
      expect(unreadable({ request: asked, body: askedBody(Buffer.from(body), false) })).to.match(reason);
    });
  }

  it('keeps a number’s digits', () => {
    const asked = request({ headers: { 'content-type': 'application/json' } });
    const body = askedBody(Buffer.from('{"amount":12345678901234567890.0001}'), false);
    const input = opaInput({ request: asked, token: undefined, contextExtensions: {}, domain: 'ledger', body });
    expect(input.kind === 'input' && input.text()).to.include('"parsed_body":{"amount":12345678901234567890.0001}');
  });

  it('is asked about as base64 where the bytes are no text', () => {
    const input = inputFor({ body: askedBody(Buffer.from([0xff, 0xfe]), false) });
    expect(input).to.have.nested.property('attributes.request.http.rawBody', '//4=');
    expect(input).not.to.have.nested.property('attributes.request.http.body');
  });

  it('of any JSON is that JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parsedBody('application/json', JSON.stringify(value))['parsed_body']).to.deep.equal(
          JSON.parse(JSON.stringify(value)),
        );
      }),
    );
  });
});
