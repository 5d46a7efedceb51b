/** A request and an endpoint for tests of telemetry: a payment from `web` to `ledger`. */
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import { podUid, serviceKey } from '@clearmesh/shared/model/names';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../../src/forward/upstream.ts';

const hostname = 'ledger.bank.svc.cluster.local';

export function requestFacts(changes: Partial<RequestFacts> = {}): RequestFacts {
  return {
    id: '6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11',
    caller: {
      identity: identity('shop', 'web'),
      address: socketAddress('10.1.0.7:41000'),
      client: socketAddress('10.1.0.9:52000'),
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
    },
    called: {
      key: serviceKey('bank', hostname),
      hostname,
      namespace: 'bank',
      port: 8080,
      address: socketAddress('10.96.0.10:8080'),
    },
    protocol: 'HTTP/1.1',
    grpc: false,
    method: 'GET',
    authority: 'ledger.bank:8080',
    path: '/accounts/42',
    query: 'iban=DE89370400440532013000',
    headers: { 'user-agent': 'web/1.0', authorization: 'Bearer secret-token', cookie: 'session=secret-cookie' },
    receivedAtMs: Date.UTC(2026, 0, 1),
    startedMs: 0,
    ...changes,
  };
}

export function endpoint(changes: Partial<UpstreamEndpoint> = {}): UpstreamEndpoint {
  return {
    id: 'Kubernetes//Pod/bank/ledger-0/8080',
    workload: podUid('Kubernetes', 'bank', 'ledger-0'),
    name: 'bank/ledger-0',
    address: socketAddress('10.1.0.20:8080'),
    identity: spiffeId({ trustDomain: 'cluster.local', namespace: 'bank', serviceAccount: 'ledger' }),
    protocol: 'HTTP/1.1',
    ...changes,
  };
}
