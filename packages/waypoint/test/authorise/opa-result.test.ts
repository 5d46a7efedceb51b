import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { readResult } from '../../src/authorise/opa-result.ts';

describe('the result of an OPA policy', () => {
  it('allows by true, denies by false', () => {
    expect(readResult(true).kind).to.equal('allowed');
    expect(readResult(false)).to.deep.equal({ kind: 'denied', headers: {} });
  });
  it('denies where the decision is undefined', () => {
    expect(readResult(undefined)).to.deep.equal({ kind: 'denied', reason: 'undefined decision', headers: {} });
  });
  it('reads what an allowance changes', () => {
    const result = {
      allowed: true,
      headers: [{ 'X-User': 'alice' }, { 'x-role': ['a', 'b'] }],
      response_headers_to_add: { 'x-seen': 'yes' },
      request_headers_to_remove: ['Authorization'],
      query_parameters_to_remove: ['debug'],
      query_parameters_to_set: { user: 'alice', tag: ['a', 'b'] },
      dynamic_metadata: { rule: 7 },
    };
    expect(readResult(result)).to.deep.equal({
      kind: 'allowed',
      headers: { 'x-user': 'alice', 'x-role': 'a, b' },
      responseHeaders: { 'x-seen': 'yes' },
      headersToRemove: ['authorization'],
      queryToRemove: ['debug'],
      queryToSet: { user: ['alice'], tag: ['a', 'b'] },
      metadata: { rule: 7 },
    });
  });
  it('reads what a denial answers', () => {
    const result = { allowed: false, http_status: 401, body: 'who are you?', headers: { 'www-authenticate': 'Bearer' } };
    expect(readResult(result)).to.deep.equal({
      kind: 'denied',
      status: 401,
      body: 'who are you?',
      headers: { 'www-authenticate': 'Bearer' },
    });
  });
  it('writes text beyond ASCII as the bytes of UTF-8', () => {
    expect(readResult({ allowed: true, headers: { name: 'ä' } })).to.deep.include({ headers: { name: 'Ã¤' } });
  });

  const nonsense: readonly unknown[] = [
    null,
    1,
    'true',
    [],
    [true],
    {},
    { allowed: 'true' },
    { allowed: 1 },
    { allowed: true, headers: 'x' },
    { allowed: true, headers: { 'x y': '1' } },
    { allowed: true, headers: { x: 1 } },
    { allowed: true, headers: { x: 'a\r\nb: c' } },
    { allowed: true, headers: { host: 'other' } },
    { allowed: true, headers: { ':path': '/' } },
    { allowed: true, headers: { 'Content-Length': '0' } },
    { allowed: true, request_headers_to_remove: 'x' },
    { allowed: true, request_headers_to_remove: ['host'] },
    { allowed: true, query_parameters_to_set: { a: 1 } },
    { allowed: true, dynamic_metadata: 'x' },
    { allowed: false, http_status: '403' },
    { allowed: false, http_status: 999 },
    { allowed: false, http_status: 100 },
    { allowed: false, http_status: 403.5 },
    { allowed: false, body: { a: 1 } },
  ];
  for (const result of nonsense) {
    it(`is no decision when it is ${JSON.stringify(result)}`, () => expect(readResult(result).kind).to.equal('unusable'));
  }

  it('allows by nothing but true and an object that says so', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const allows =
          value === true || (typeof value === 'object' && value !== null && 'allowed' in value && value['allowed'] === true);
        if (readResult(value).kind === 'allowed') expect(allows).to.equal(true);
      }),
    );
  });
});
