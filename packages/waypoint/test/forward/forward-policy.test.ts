import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { RouteRule } from '@clearmesh/shared/model/l7/route';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import { resilience } from './fake-upstream.ts';

const { retry, timeouts } = resilience();

describe('forwardPolicy', () => {
  it('retries once, and only what certainly was not processed, where nothing is said', () => {
    const policy = forwardPolicy();
    expect(policy.retry.attempts).to.equal(1);
    expect([...policy.retry.on]).to.deep.equal(['connect-failure', 'refused-stream', 'reset-before-request']);
    expect([policy.requestMs, policy.perTryMs, policy.maxRequestBytes]).to.deep.equal([Infinity, Infinity, Infinity]);
  });

  const times: readonly { title: string; own?: number; route?: number; gives: number }[] = [
    { title: 'the policy’s', own: 100, gives: 100 },
    { title: 'the route’s', route: 200, gives: 200 },
    { title: 'the shorter of both', own: 100, route: 50, gives: 50 },
    { title: 'the policy’s where the route switches its own off', own: 100, route: 0, gives: 100 },
    { title: 'none', gives: Infinity },
  ];
  for (const { title, own, route, gives } of times) {
    it(`takes ${title} for the time of a request and of an attempt`, () => {
      const fromPolicy = own === undefined ? timeouts : { ...timeouts, requestMs: own, backendRequestMs: own };
      const fromRoute: RouteRule['timeouts'] = route === undefined ? {} : { requestMs: route, backendRequestMs: route };
      const policy = forwardPolicy(resilience({ timeouts: fromPolicy }), { timeouts: fromRoute });
      expect([policy.requestMs, policy.perTryMs]).to.deep.equal([gives, gives]);
    });
  }

  it('lets a route say how often, after how long, and for which further codes', () => {
    const policy = forwardPolicy(resilience(), { retry: { attempts: 4, codes: [503], backoffMs: 100 } });
    expect(policy.retry).to.deep.include({ attempts: 4, backoff: { baseMs: 100, maxMs: 1_000 } });
    expect([...policy.retry.statusCodes]).to.deep.equal([503]);
    expect(policy.retry.on.has('retriable-status-codes')).to.equal(true);
    expect(policy.retry.on.has('connect-failure')).to.equal(true);
  });

  it('adds a route’s codes to the policy’s only where the policy asks for codes', () => {
    const codes = { codes: [503] };
    expect([
      ...forwardPolicy(resilience({ retry: { ...retry, statusCodes: [425] } }), { retry: codes }).retry.statusCodes,
    ]).to.deep.equal([503]);
    const asked = resilience({ retry: { ...retry, on: ['retriable-status-codes'], statusCodes: [425] } });
    expect([...forwardPolicy(asked, { retry: codes }).retry.statusCodes]).to.deep.equal([425, 503]);
  });

  it('gives a breaker’s probe longer than any attempt may take', () => {
    const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 20, windowMs: 10_000, openMs: 1_000, maxOpenMs: 60_000 };
    const probeMs = (spec: Parameters<typeof resilience>[0]): number | undefined =>
      forwardPolicy(resilience({ ...spec, circuitBreaker })).breaker?.probeMs;
    expect(probeMs({})).to.equal(301_000);
    expect(probeMs({ timeouts: { ...timeouts, requestMs: 5_000 } })).to.equal(6_000);
  });
});
