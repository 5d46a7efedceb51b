/**
 * The endpoints of one backend: who they are by the newest configuration, and what was learned about each.
 *
 * E1  What was learned stays with an endpoint as long as its id, address and identity do; an address that comes back as
 *     somebody else starts anew (design decision 7).
 * E2  Ejections end when somebody looks: no endpoint has a timer.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { LoadBalancingPolicy, OutlierPolicy } from '@clearmesh/shared/model/l7/resilience';
import { chooseBalanced, costOf, newLoad, recordPenalty, recordRtt } from './balance.ts';
import type { Load } from './balance.ts';
import { eject, inPanic, mayEject, newHealth, recvSign, restore } from './outlier.ts';
import type { EjectionCause, Health, Sign } from './outlier.ts';
import type { UpstreamEndpoint } from './upstream.ts';
import type { Effect } from './verdict.ts';

export type Host = { readonly endpoint: UpstreamEndpoint; readonly load: Load; readonly health: Health };

export type HostStatus = {
  readonly id: string;
  readonly name: string;
  readonly inFlight: number;
  readonly ewmaMs: number;
  /** What the balancer compares. */
  readonly cost: number;
  readonly consecutive5xx: number;
  readonly consecutiveLocal: number;
  /** How long it stays out of rotation, milliseconds; 0: it is in. */
  readonly ejectedForMs: number;
};

export type EndpointSetDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEjected: (endpoint: UpstreamEndpoint, cause: EjectionCause, untilMs: number) => void;
};

type Rules = { readonly loadBalancing: LoadBalancingPolicy; readonly outlier: OutlierPolicy | undefined };

const none: readonly Host[] = [];

export class EndpointSet {
  readonly #deps: EndpointSetDeps;
  #endpoints: readonly UpstreamEndpoint[] = [];
  #hosts: readonly Host[] = none;
  #ejected: readonly Host[] = none;
  /** Hosts that are not ejected; the same list while there is nothing to take out. */
  #inRotation: readonly Host[] = none;
  #nextReturnMs = Infinity;

  constructor(deps: EndpointSetDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#hosts.length;
  }

  /** Out of rotation now. */
  get ejected(): number {
    this.#restoreDue(this.#deps.clock.monotonicMs());
    return this.#ejected.length;
  }

  /** Takes over a list of endpoints; the same list again costs nothing. */
  use(endpoints: readonly UpstreamEndpoint[], { initialRttMs }: LoadBalancingPolicy): void {
    if (endpoints === this.#endpoints) return;
    this.#endpoints = endpoints;
    const nowMs = this.#deps.clock.monotonicMs();
    const known = new Map(this.#hosts.map((host) => [host.endpoint.id, host]));
    this.#hosts = endpoints.map((endpoint) => {
      const host = known.get(endpoint.id);
      if (host === undefined || !isSame(host.endpoint, endpoint)) {
        return { endpoint, load: newLoad(initialRttMs, nowMs), health: newHealth(nowMs) };
      }
      return host.endpoint.protocol === endpoint.protocol ? host : { ...host, endpoint };
    });
    this.#sort();
    if (this.#inRotation.length === 0) this.#restoreFirst();
  }

  /** Whom to send the next attempt to; `undefined`: nobody is there, or too few are healthy and the policy says `fail`. */
  choose({ loadBalancing, outlier }: Rules, tried: readonly Host[], nowMs: number): Host | undefined {
    if (nowMs >= this.#nextReturnMs) this.#restoreDue(nowMs);
    let candidates = this.#hosts;
    if (outlier !== undefined && this.#ejected.length > 0) {
      const panic = inPanic(this.#inRotation.length, this.#hosts.length, outlier);
      if (panic && outlier.panic === 'fail') return undefined;
      if (!panic) candidates = this.#inRotation;
    }
    return chooseBalanced(candidates, tried, nowMs, loadBalancing.decayMs, this.#deps.random);
  }

  /** @param elapsedMs of the round trip @param retryAfterMs what the endpoint asked for; 0: nothing */
  recvLoad(
    { load }: Host,
    kind: Effect['load'],
    elapsedMs: number,
    retryAfterMs: number,
    nowMs: number,
    { decayMs }: LoadBalancingPolicy,
  ): void {
    if (kind === 'sample') recordRtt(load, elapsedMs, nowMs, decayMs);
    else if (kind === 'penalty') recordPenalty(load, retryAfterMs, nowMs, decayMs);
  }

  /** Counts what an attempt says of its host, and ejects it if that is one too many. */
  recvSign(host: Host, sign: Sign, policy: OutlierPolicy | undefined): void {
    if (policy === undefined) return;
    const cause = recvSign(host.health, sign, policy);
    if (cause === undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    this.#restoreDue(nowMs);
    const member = this.#hosts.find(({ health }) => health === host.health);
    if (member === undefined || !mayEject(this.#ejected.length, this.#hosts.length, policy)) return;
    eject(host.health, nowMs, policy);
    this.#sort();
    this.#deps.onEjected(member.endpoint, cause, host.health.ejectedUntilMs);
  }

  /** For the admin server. */
  status({ decayMs }: LoadBalancingPolicy): readonly HostStatus[] {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#restoreDue(nowMs);
    return this.#hosts.map(({ endpoint, load, health }) => ({
      id: endpoint.id,
      name: endpoint.name,
      inFlight: load.inFlight,
      ewmaMs: load.ewmaMs,
      cost: costOf(load, nowMs, decayMs),
      consecutive5xx: health.consecutive5xx,
      consecutiveLocal: health.consecutiveLocal,
      ejectedForMs: Math.max(0, health.ejectedUntilMs - nowMs),
    }));
  }

  #restoreDue(nowMs: number): void {
    if (nowMs < this.#nextReturnMs) return;
    for (const { health } of this.#ejected) if (health.ejectedUntilMs <= nowMs) restore(health);
    this.#sort();
  }

  /** The others went away: the last one is never ejected, whichever way it became the last (O2). */
  #restoreFirst(): void {
    const first = this.#ejected.find(({ health }) => health.ejectedUntilMs === this.#nextReturnMs);
    if (first === undefined) return;
    restore(first.health);
    first.health.healthySinceMs = this.#deps.clock.monotonicMs();
    this.#sort();
  }

  #sort(): void {
    this.#ejected = this.#hosts.filter(({ health }) => health.ejectedUntilMs > 0);
    this.#inRotation = this.#ejected.length === 0 ? this.#hosts : this.#hosts.filter(({ health }) => health.ejectedUntilMs === 0);
    this.#nextReturnMs = this.#ejected.reduce((first, { health }) => Math.min(first, health.ejectedUntilMs), Infinity);
  }
}

function isSame(one: UpstreamEndpoint, other: UpstreamEndpoint): boolean {
  return one.identity === other.identity && one.address.port === other.address.port && one.address.ip === other.address.ip;
}
