import { expect } from 'chai';
import { describe, it } from 'mocha';
import { connectHeadersOf, requestHeaderList } from '../../src/tunnel/connect-headers.ts';

describe('requestHeaderList', () => {
  it('has the order of upstream’s headers on the wire, and ours last', () => {
    const caller = 'spiffe://cluster.local/ns/bank/sa/payments';
    const headers = {
      caller,
      xForwardedNetwork: 'net-1',
      traceparent: '00-a-b-00',
      forwarded: 'for="10.0.0.1:1"',
      baggage: 'a=b',
    };
    expect(requestHeaderList({ authority: '10.98.0.5:7777', headers })).to.deep.equal([
      ':method',
      'CONNECT',
      ':authority',
      '10.98.0.5:7777',
      'baggage',
      'a=b',
      'forwarded',
      'for="10.0.0.1:1"',
      'traceparent',
      '00-a-b-00',
      'x-forwarded-network',
      'net-1',
      'x-clearmesh-caller',
      caller,
    ]);
  });

  it('leaves out what is absent', () => {
    expect(requestHeaderList({ authority: 'a:1', headers: {} })).to.deep.equal([':method', 'CONNECT', ':authority', 'a:1']);
  });
});

describe('connectHeadersOf', () => {
  it('reads the five headers and nothing else', () => {
    const headers = {
      ':method': 'CONNECT',
      baggage: 'a=b',
      'x-forwarded-network': 'n',
      'x-clearmesh-caller': 'c',
      'x-other': 'y',
    };
    expect(connectHeadersOf(headers)).to.deep.equal({ baggage: 'a=b', xForwardedNetwork: 'n', caller: 'c' });
  });

  it('joins values of one name', () => {
    expect(connectHeadersOf({ baggage: ['a=b', 'c=d'] })).to.deep.equal({ baggage: 'a=b,c=d' });
  });
});
