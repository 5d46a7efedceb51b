import { expect } from 'chai';
import { describe, it } from 'mocha';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { Conversation } from '../../src/accept/conversation.ts';
import type { RawRequest } from '../../src/accept/http-front.ts';
import { readFacts } from '../../src/accept/request-facts.ts';
import type { FactsDeps } from '../../src/accept/request-facts.ts';

const conversation: Conversation = {
  caller: {
    identity: spiffeId({ trustDomain: 'cluster.local', namespace: 'payments', serviceAccount: 'payments' }),
    address: socketAddress('10.0.0.1:1234'),
    tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', group: 'X25519MLKEM768' },
  },
  called: {
    key: serviceKey('bank', 'ledger.bank.svc.cluster.local'),
    hostname: 'ledger.bank.svc.cluster.local',
    namespace: 'bank',
    port: 8080,
    address: socketAddress('10.96.0.20:8080'),
  },
  declared: 'HTTP11',
};

const deps: FactsDeps = {
  clock: new FakeClock(),
  random: new FakeRandom([0.5]),
  normalisePath: (raw) => {
    if (raw.includes('..')) return { kind: 'refused', reason: 'dot segments' };
    const [path = '', query = ''] = raw.split('?');
    return { kind: 'path', path, query };
  },
};

type Sent = { readonly url?: string; readonly version?: string; readonly headers?: readonly (readonly [string, string])[] };

/** What Node makes of a request line and fields. */
function request({ url = '/', version = '1.1', headers = [] }: Sent): RawRequest {
  const found: Record<string, string> = {};
  for (const [name, value] of headers) found[name.toLowerCase()] ??= value;
  return {
    method: 'POST',
    url,
    httpVersion: version,
    httpVersionMajor: Number(version.charAt(0)),
    headers: found,
    rawHeaders: headers.flat(),
  } as unknown as RawRequest;
}

describe('readFacts', () => {
  it('takes caller and service from the tunnel, whatever the Host field says', () => {
    const reading = readFacts(request({ url: '/a?b=c', headers: [['Host', 'customer-analytics']] }), conversation, deps);
    expect(reading.kind).to.equal('facts');
    expect(reading.facts).to.deep.include({ called: conversation.called, caller: conversation.caller });
    expect(reading.facts).to.include({ authority: 'customer-analytics', path: '/a', query: 'b=c', protocol: 'HTTP/1.1' });
  });

  const refused: readonly (readonly [what: string, sent: Sent])[] = [
    [
      'two Host fields',
      {
        headers: [
          ['host', 'a'],
          ['Host', 'b'],
        ],
      },
    ],
    [
      'two equal Host fields',
      {
        headers: [
          ['host', 'a'],
          ['host', 'a'],
        ],
      },
    ],
    [
      'Host and :authority that differ',
      {
        version: '2.0',
        headers: [
          [':authority', 'a'],
          ['host', 'b'],
        ],
      },
    ],
    ['HTTP/0.9', { version: '0.9' }],
    ['a path that is not to be relied on', { url: '/a/../b' }],
  ];
  for (const [what, sent] of refused) {
    it(`refuses ${what}, and still says whose it was`, () => {
      const reading = readFacts(request(sent), conversation, deps);
      expect(reading).to.have.nested.property('failure.kind', 'bad-request');
      expect(reading.facts.caller).to.equal(conversation.caller);
    });
  }

  const types: readonly (readonly [type: string, grpc: boolean])[] = [
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['application/grpc; charset=utf-8', true],
    ['application/grpc-web', false],
    ['application/grpc-web+proto', false],
    ['application/json', false],
  ];
  for (const [type, grpc] of types) {
    it(`takes ${type} for ${grpc ? 'gRPC' : 'ordinary HTTP'}`, () => {
      expect(readFacts(request({ headers: [['content-type', type]] }), conversation, deps).facts.grpc).to.equal(grpc);
    });
  }

  it('keeps a caller’s plain request id', () => {
    expect(readFacts(request({ headers: [['x-request-id', 'abc-1']] }), conversation, deps).facts.id).to.equal('abc-1');
  });

  for (const id of ['a b', 'x'.repeat(129), 'a"b', '']) {
    it(`makes a new id instead of ${JSON.stringify(id.slice(0, 10))}`, () => {
      const { facts } = readFacts(request({ headers: [['x-request-id', id]] }), conversation, deps);
      expect(facts.id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    });
  }
});
