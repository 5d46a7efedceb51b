/**
 * The endpoints of one backend: what was learned about each, and the lists that requests bring.
 *
 * E1  What was learned belongs to an endpoint as long as its id, address and identity stay; an address that comes back as
 *     somebody else starts anew (design decision 7).
 * E2  A request is sent to endpoints of its own list only. Lists of one backend differ, by protocol or because a pod was
 *     addressed, and share what was learned.
 * E3  Ejections end when somebody looks: no endpoint has a timer.
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

/** What was learned. */
type Learned = {
  readonly load: Load;
  readonly health: Health;
  readonly known: Pick<UpstreamEndpoint, 'identity' | 'address'>;
  /** When it last was in a new list, monotonic milliseconds. */
  seenMs: number;
};

export type Host = { readonly endpoint: UpstreamEndpoint; readonly load: Load; readonly health: Health };

/** A list of endpoints with what was learned about them. */
export type HostList = {
  readonly hosts: readonly Host[];
  /** Those that are not ejected, as of `epoch`. */
  inRotation: readonly Host[];
  epoch: number;
};

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

/** How long an endpoint that left is remembered: readiness comes and goes, milliseconds. */
const rememberedMs = 600_000;

export class EndpointSet {
  readonly #deps: EndpointSetDeps;
  readonly #learned = new Map<string, Learned>();
  readonly #lists = new WeakMap<readonly UpstreamEndpoint[], HostList>();
  readonly #ejected = new Set<Health>();
  /** Counts changes of `#ejected`. */
  #epoch = 0;
  #nextReturnMs = Infinity;
  /** The newest list that is no single endpoint; for the status. */
  #newest: HostList = { hosts: [], inRotation: [], epoch: 0 };

  constructor(deps: EndpointSetDeps) {
    this.#deps = deps;
  }

  /** Out of rotation now. */
  get ejected(): number {
    this.#restoreDue(this.#deps.clock.monotonicMs());
    return this.#newest.hosts.length - this.#inRotation(this.#newest).length;
  }

  /** Hosts of a list; the same list object again costs nothing. */
  of(endpoints: readonly UpstreamEndpoint[], { initialRttMs }: LoadBalancingPolicy): HostList {
    const known = this.#lists.get(endpoints);
    if (known !== undefined) return known;
    const nowMs = this.#deps.clock.monotonicMs();
    const hosts = endpoints.map((endpoint) => {
      const { load, health } = this.#learn(endpoint, initialRttMs, nowMs);
      return { endpoint, load, health };
    });
    const list = { hosts, inRotation: hosts, epoch: -1 };
    this.#lists.set(endpoints, list);
    if (hosts.length > 1) this.#forgetGone(nowMs);
    if (hosts.length > 1 || this.#newest.hosts.length <= 1) this.#newest = list;
    return list;
  }

  /** Whom to send the next attempt to; `undefined`: nobody is there, or too few are healthy and the policy says `fail`. */
  choose(list: HostList, { loadBalancing, outlier }: Rules, tried: readonly Host[], nowMs: number): Host | undefined {
    if (nowMs >= this.#nextReturnMs) this.#restoreDue(nowMs);
    let candidates = list.hosts;
    if (outlier !== undefined && this.#ejected.size > 0) {
      const inRotation = this.#inRotation(list);
      const panic = inPanic(inRotation.length, list.hosts.length, outlier);
      // O2: where all others went away, or only this one was asked for, an ejection means nothing.
      const allEjected = inRotation.length === 0;
      if (panic && !allEjected && outlier.panic === 'fail') return undefined;
      if (!panic && !allEjected) candidates = inRotation;
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

  /** Counts what an attempt says of its host, and ejects it if that is one too many for the list it was chosen from. */
  recvSign(host: Host, list: HostList, sign: Sign, policy: OutlierPolicy | undefined): void {
    if (policy === undefined) return;
    const { health, endpoint } = host;
    const cause = recvSign(health, sign, policy);
    if (cause === undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    this.#restoreDue(nowMs);
    // An old list may name endpoints that are gone; the newest one says how many there are.
    const { hosts } = this.#newest.hosts.some((member) => member.health === health) ? this.#newest : list;
    const ejected = hosts.filter((member) => member.health.ejectedUntilMs > 0).length;
    if (!mayEject(ejected, hosts.length, policy)) return;
    eject(health, nowMs, policy);
    this.#ejected.add(health);
    this.#recvChange();
    this.#deps.onEjected(endpoint, cause, health.ejectedUntilMs);
  }

  /** For the admin server. */
  status({ decayMs }: LoadBalancingPolicy): readonly HostStatus[] {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#restoreDue(nowMs);
    return this.#newest.hosts.map(({ endpoint, load, health }) => ({
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

  #learn(endpoint: UpstreamEndpoint, initialRttMs: number, nowMs: number): Learned {
    let learned = this.#learned.get(endpoint.id);
    if (learned === undefined || !isSame(learned.known, endpoint)) {
      learned = { load: newLoad(initialRttMs, nowMs), health: newHealth(nowMs), known: endpoint, seenMs: nowMs };
      this.#learned.set(endpoint.id, learned);
    }
    learned.seenMs = nowMs;
    return learned;
  }

  #forgetGone(nowMs: number): void {
    for (const [id, { seenMs, health }] of this.#learned) {
      if (nowMs - seenMs < rememberedMs) continue;
      this.#learned.delete(id);
      if (this.#ejected.delete(health)) this.#recvChange();
    }
  }

  #restoreDue(nowMs: number): void {
    if (nowMs < this.#nextReturnMs) return;
    for (const health of this.#ejected) {
      if (health.ejectedUntilMs > nowMs) continue;
      restore(health);
      this.#ejected.delete(health);
    }
    this.#recvChange();
  }

  #recvChange(): void {
    this.#epoch += 1;
    this.#nextReturnMs = Infinity;
    for (const { ejectedUntilMs } of this.#ejected) this.#nextReturnMs = Math.min(this.#nextReturnMs, ejectedUntilMs);
  }

  #inRotation(list: HostList): readonly Host[] {
    if (list.epoch !== this.#epoch) {
      list.inRotation = list.hosts.filter(({ health }) => health.ejectedUntilMs === 0);
      list.epoch = this.#epoch;
    }
    return list.inRotation;
  }
}

function isSame(one: Learned['known'], other: UpstreamEndpoint): boolean {
  return one.identity === other.identity && one.address.port === other.address.port && one.address.ip === other.address.ip;
}
