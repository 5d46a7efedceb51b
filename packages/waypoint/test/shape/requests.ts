/** Facts of requests for the tests of this stage. */
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { IdempotencyPolicy } from '@clearmesh/shared/model/l7/resilience';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';

type Spec = Partial<Omit<RequestFacts, 'caller'>> & { /** `namespace/account`. */ readonly caller?: string };

/** `POST /payments` by payments to the ledger. */
export function request({ caller = 'bank/payments', ...spec }: Spec = {}): RequestFacts {
  const [namespace = '', account = ''] = caller.split('/');
  return {
    id: '6f1c1c2e-0000-4000-8000-000000000001',
    caller: {
      identity: identity(namespace, account),
      address: socketAddress('10.0.0.1:40000'),
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
    },
    called: {
      key: 'bank/ledger.bank.svc.cluster.local' as ServiceKey,
      hostname: 'ledger.bank.svc.cluster.local',
      namespace: 'bank',
      port: 80,
      address: socketAddress('10.96.0.1:80'),
    },
    protocol: 'HTTP/1.1',
    grpc: false,
    method: 'POST',
    authority: 'ledger',
    path: '/payments',
    query: '',
    headers: {},
    receivedAtMs: 0,
    startedMs: 0,
    ...spec,
  };
}

export function idempotencyPolicy(overrides: Partial<IdempotencyPolicy> = {}): IdempotencyPolicy {
  return {
    mode: 'key',
    header: 'idempotency-key',
    required: false,
    ttlMs: 86_400_000,
    leaseMs: 60_000,
    store: { kind: 'memory' },
    methods: ['POST', 'PATCH'],
    maxBodyBytes: 262_144,
    waitReplicas: 0,
    ...overrides,
  };
}
