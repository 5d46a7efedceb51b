/**
 * One attempt that is not a request: a WebSocket, or bytes that are no HTTP. It is made once, and lives as long as both
 * sides like; a farm of them must not use up what requests need (l7-and-resilience B7).
 */
import type { Failure, ResponseFlag } from '../exchange/failure.ts';
import { failureTable } from '../exchange/failure.ts';
import type { DispatchFailure, DispatchRequest } from './dispatch-request.ts';
import type { BackendParts } from './exchange.ts';
import { Lease } from './lease.ts';
import { overflow } from './limits.ts';
import type { UpstreamEndpoint } from './upstream.ts';
import { effectOfAnswer } from './verdict.ts';

export type UpgradeRequest = Pick<DispatchRequest, 'policy' | 'route' | 'endpoints' | 'onAttempt' | 'headers'>;

/** Whoever has it calls `recvAnswer` at most once, and `fail` or `end` exactly once. */
export type UpgradeLease = {
  readonly kind: 'leased';
  readonly endpoint: UpstreamEndpoint;
  /** The endpoint answered, with 101 or with a refusal of its own. */
  recvAnswer(status: number): void;
  /** The endpoint could not be had, or broke off. */
  fail(failure: Failure): void;
  end(): void;
};

export function leaseUpgrade(request: UpgradeRequest, parts: BackendParts): UpgradeLease | DispatchFailure {
  const { policy, route, headers } = request;
  const { limits, breakers, endpoints, clock, name } = parts;
  const { maxUpgraded } = policy.limits;
  if (!limits.upgraded.hasRoom(maxUpgraded)) return failed(overflow('maxUpgraded', maxUpgraded, name));
  const breaker = breakers.of(route, policy.breaker);
  const ticket = breaker?.admit();
  if (breaker !== undefined && ticket === undefined) {
    return failed({ kind: 'breaker-open', detail: `the breaker of route ${route} to backend ${name} is open; try again later` });
  }
  const list = endpoints.of(request.endpoints, policy.loadBalancing);
  const startedMs = clock.monotonicMs();
  const host = endpoints.choose(list, policy, [], startedMs);
  if (host === undefined) {
    if (ticket !== undefined) breaker?.report(ticket, 'neutral');
    return failed({
      kind: 'no-healthy-endpoint',
      detail: `backend ${name} has ${list.hosts.length} endpoints, and none that may be used`,
    });
  }
  limits.upgraded.take(maxUpgraded);
  const lease = new Lease({ host, list, policy, breaker, ticket, connection: false, retry: false, startedMs }, parts);
  lease.observer = request.onAttempt?.(host.endpoint, 1, headers);
  return leased(lease, parts);
}

function leased(lease: Lease, { limits, clock }: BackendParts): UpgradeLease {
  let answered: number | undefined;
  return {
    kind: 'leased',
    endpoint: lease.terms.host.endpoint,
    recvAnswer: (status) => {
      answered = status;
      const effect = effectOfAnswer(status, undefined, false);
      lease.report(effect);
      lease.recvLoad(effect, clock.monotonicMs(), 0);
    },
    fail: (failure) => {
      limits.upgraded.release();
      lease.fail(failure, clock.monotonicMs(), answered);
    },
    end: () => {
      limits.upgraded.release();
      lease.complete(answered === undefined ? {} : { status: answered });
    },
  };
}

function failed(failure: Failure): DispatchFailure {
  const flag: ResponseFlag = failureTable[failure.kind].flag;
  return { kind: 'failed', failure, outcome: 'not-dispatched', flag, attempts: 0 };
}
