/** Requests and policies for tests of authorisation: say what matters. */
import type { L7AuthorizationPolicy, L7Rule } from '@clearmesh/shared/model/l7/authorization';
import { serviceKey } from '@clearmesh/shared/model/names';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import type { BodyAccess } from '../../src/authorise/body-access.ts';
import type { Caller, RequestFacts } from '../../src/exchange/request-facts.ts';

export const payments: Caller = {
  identity: identity('payments', 'payments'),
  address: socketAddress('10.1.0.7:41000'),
  tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
};

/** `GET /accounts/42?page=2` from payments to the ledger. */
export function request(changes: Partial<RequestFacts> = {}): RequestFacts {
  return {
    id: '6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11',
    caller: payments,
    called: {
      key: serviceKey('ledger', 'ledger.ledger.svc.cluster.local'),
      hostname: 'ledger.ledger.svc.cluster.local',
      namespace: 'ledger',
      port: 8080,
      address: socketAddress('10.96.0.20:8080'),
    },
    protocol: 'HTTP/1.1',
    grpc: false,
    method: 'GET',
    authority: 'ledger.ledger:8080',
    path: '/accounts/42',
    query: 'page=2',
    headers: { host: 'ledger.ledger:8080', 'user-agent': 'payments/1.0' },
    receivedAtMs: Date.UTC(2026, 0, 5, 10, 30),
    startedMs: 0,
    ...changes,
  };
}

export function policy(
  action: 'ALLOW' | 'DENY',
  rules: readonly L7Rule[],
  changes: Partial<L7AuthorizationPolicy> = {},
): L7AuthorizationPolicy {
  return { key: 'AuthorizationPolicy ledger/rules', namespace: 'ledger', action, dryRun: false, rules, ...changes };
}

export const noBody: BodyAccess = {
  peek: () => Promise.resolve({ kind: 'peeked', bytes: Buffer.alloc(0), truncated: false }),
};

export function bodyOf(text: string | Buffer): BodyAccess {
  const bytes = Buffer.from(text);
  return {
    peek: (maxBytes) =>
      Promise.resolve({ kind: 'peeked', bytes: bytes.subarray(0, maxBytes), truncated: bytes.length > maxBytes }),
  };
}

export const unaborted: AbortSignal = new AbortController().signal;

/** A caller that stays. */
export const staying: { readonly signal: AbortSignal } = { signal: unaborted };
