import { expect } from 'chai';
import { describe, it } from 'mocha';
import { answerHeaders, forwardedHeaders } from '../../src/accept/request-headers.ts';

describe('forwardedHeaders', () => {
  const removed: readonly (readonly [name: string, why: string])[] = [
    ['connection', 'hop-by-hop'],
    ['transfer-encoding', 'hop-by-hop'],
    ['te', 'hop-by-hop'],
    ['upgrade', 'hop-by-hop'],
    ['keep-alive', 'hop-by-hop'],
    ['proxy-authorization', 'hop-by-hop'],
    ['expect', 'answered here'],
    ['host', 'made anew'],
    [':path', 'a pseudo header'],
    ['x-envoy-retry-on', 'reserved'],
    ['x-envoy-fault-delay-request', 'reserved'],
    ['x-mesh-fault', 'reserved'],
    ['x-mesh-outcome', 'reserved'],
    ['x-clearmesh-caller', 'reserved'],
    ['x-forwarded-client-cert', 'reserved'],
  ];
  for (const [name, why] of removed) {
    it(`takes away ${name} (${why})`, () => expect(forwardedHeaders({ [name]: 'x' }, false)).to.deep.equal({}));
  }

  it('takes away what Connection lists', () => {
    expect(forwardedHeaders({ connection: 'close, X-One', 'x-one': '1', 'x-two': '2' }, false)).to.deep.equal({ 'x-two': '2' });
  });

  it('leaves everything else, lists too', () => {
    const headers = { accept: '*/*', 'x-request-id': 'a', 'x-mesh-deadline-ms': '50', 'set-cookie': ['a', 'b'] };
    expect(forwardedHeaders(headers, false)).to.deep.equal(headers);
  });

  it('says te: trailers for gRPC', () => expect(forwardedHeaders({ te: 'trailers' }, true)).to.deep.equal({ te: 'trailers' }));
});

describe('answerHeaders', () => {
  it('takes away hop-by-hop fields and what Connection lists', () => {
    const headers = { connection: 'x-hop', 'x-hop': '1', 'transfer-encoding': 'chunked', 'content-type': 'text/plain' };
    expect(answerHeaders(headers)).to.deep.equal({ 'content-type': 'text/plain' });
  });
});
