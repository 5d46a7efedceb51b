/**
 * Two replicas of a waypoint, five of a ledger and a Redis server on addresses of their own: runs follow each other on one
 * lane, and lanes run beside each other.
 *
 * L1  Service and endpoints are named anew for each run, so that no run inherits what another one's faults taught.
 * L2  A waypoint that was drained is replaced before the next run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { identity, service, workload } from '@clearmesh/shared/testing/builders';
import { addressPush } from '@clearmesh/shared/testing/pushes';
import type { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { boundService } from '../bound-service.ts';
import { Caller } from './caller.ts';
import type { CallerDeps } from './caller.ts';
import type { RunHistory } from './history.ts';
import { Journal } from './journal.ts';
import { LedgerReplica } from './ledger-replica.ts';
import { LoggedRedis } from './logged-redis.ts';
import type { EventPlan, RunPlan } from './plan.ts';
import { resilienceOf } from './plan-policy.ts';
import type { PolicyPlan } from './plan-policy.ts';
import { WaypointReplica } from './waypoint-replica.ts';

export type LaneOptions = {
  /** 0 to 99: its part of the process's share of 127.0.0.0/8. */
  readonly number: number;
  readonly keyFile: string;
};

const vip = '10.96.0.20';
const authority = `${vip}:8080`;
const ledgers = 5;
/** For everything to come to rest after the last answer, milliseconds. */
const restMs = 5_000;

export class Lane implements AsyncDisposable {
  readonly #options: LaneOptions;
  readonly #certificates: TestCertificates;
  readonly #snapshots = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: silentLogger });
  readonly #replicas: LedgerReplica[] = [];
  #waypoints: WaypointReplica[] = [];
  #redis: LoggedRedis | undefined;
  /** Names in the snapshot now. */
  #known: readonly string[] = [];

  private constructor(options: LaneOptions, certificates: TestCertificates) {
    this.#options = options;
    this.#certificates = certificates;
  }

  static async open(options: LaneOptions, certificates: TestCertificates): Promise<Lane> {
    await using stack = new AsyncDisposableStack();
    const lane = stack.use(new Lane(options, certificates));
    const ledgerIdentity = identity('ledger', 'ledger');
    for (let number = 0; number < ledgers; number += 1) {
      const place = { number, address: lane.#address(20 + number), identity: ledgerIdentity };
      lane.#replicas.push(await LedgerReplica.open(place, certificates));
    }
    lane.#waypoints = [await lane.#openWaypoint(0), await lane.#openWaypoint(1)];
    stack.move();
    return lane;
  }

  /** Both waypoints anew, as a rollout would. */
  async replaceWaypoints(): Promise<void> {
    await Promise.all(this.#waypoints.map((waypoint) => waypoint[Symbol.asyncDispose]()));
    this.#waypoints = [await this.#openWaypoint(0), await this.#openWaypoint(1)];
  }

  async run(plan: RunPlan): Promise<RunHistory> {
    if (plan.policy.store === 'redis') this.#redis ??= await LoggedRedis.start();
    const startedMs = performance.now();
    const lines: string[] = [];
    const note = (line: string): void => void lines.push(`${(performance.now() - startedMs).toFixed(1).padStart(8)} ms  ${line}`);
    const journal = new Journal(plan, note);
    for (const waypoint of this.#waypoints) waypoint.lines.clear();
    for (const replica of this.#replicas) replica.begin({ plan, journal });
    const mesh = meshOf(plan, this.#replicas);
    this.#push(mesh.services, mesh.workloads);
    this.#configure(plan, plan.policy);
    const world: World = { plan, mesh, journal, drained: undefined };
    const callers = plan.payments.map((wants, payment) => new Caller(plan, payment, wants, this.#callerDeps(world)));
    await Promise.all([...callers.map((caller) => caller.pay()), ...plan.events.map((event) => this.#suffer(event, world))]);
    const left = await this.#rest(journal);
    for (const replica of this.#replicas) replica.end();
    const logged = mergeLines(this.#waypoints);
    if (world.drained !== undefined) await this.#replace(world.drained);
    const { arrivals, bookings, met } = journal;
    const sends = callers.flatMap((caller) => caller.sends);
    const stoppedForMemory = callers.filter((caller) => caller.stoppedForMemory).length;
    return { plan, sends, arrivals, bookings, met, stoppedForMemory, logged, left, lines };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#waypoints.map((waypoint) => waypoint[Symbol.asyncDispose]()));
    await Promise.all(this.#replicas.map((replica) => replica[Symbol.asyncDispose]()));
    await this.#redis?.[Symbol.asyncDispose]();
  }

  #address(host: number): string {
    return `127.${64 + (process.pid % 128)}.${this.#options.number}.${host}`;
  }

  #openWaypoint(number: number): Promise<WaypointReplica> {
    const { keyFile } = this.#options;
    return WaypointReplica.open(
      { name: `ledger-waypoint-${number}`, address: this.#address(9 + number), callerAddress: this.#address(1), keyFile },
      { snapshots: this.#snapshots, certificates: this.#certificates },
    );
  }

  /** L2. */
  async #replace(number: 0 | 1): Promise<void> {
    await this.#waypoints[number]?.[Symbol.asyncDispose]();
    this.#waypoints[number] = await this.#openWaypoint(number);
  }

  #callerDeps({ plan, journal }: World): CallerDeps {
    return {
      authority,
      note: (line) => journal.note(line),
      meet: (kind, where) => journal.meet(kind, where),
      via: (wanted) => this.#via(plan, journal, wanted),
    };
  }

  #via(plan: RunPlan, journal: Journal, wanted: 0 | 1): { readonly waypoint: WaypointReplica; readonly forgetful: boolean } {
    const drained = journal.met.includes('drain');
    const memory = plan.policy.mode === 'key' && plan.policy.store === 'memory';
    // Memory serves one replica only, and dies with it.
    const number = drained ? 1 : memory ? 0 : wanted;
    return { waypoint: this.#waypoints[number] as WaypointReplica, forgetful: drained && memory };
  }

  /** L1. */
  #push(services: readonly Service[], workloads: readonly Workload[]): void {
    const names = [...services.map(({ key }) => key as string), ...workloads.map(({ uid }) => uid as string)];
    const removed = this.#known.filter((name) => !names.includes(name));
    this.#known = names;
    this.#snapshots.apply(addressPush({ services, workloads }, removed));
  }

  #configure(plan: RunPlan, policy: PolicyPlan): void {
    for (const waypoint of this.#waypoints) waypoint.apply(configurationOf(plan, policy, this.#redis));
  }

  async #suffer(event: EventPlan, world: World): Promise<void> {
    await sleep(event.atMs);
    const { plan, mesh, journal } = world;
    journal.meet(event.kind, 'run');
    switch (event.kind) {
      case 'refuse-connect':
        await this.#replicas[event.replica]?.closeDoor();
        await sleep(event.forMs);
        return this.#replicas[event.replica]?.openDoor();
      case 'endpoint-removed':
        this.#push(
          mesh.services,
          mesh.workloads.filter(({ name }) => !name.startsWith(`ledger-${event.replica}-`)),
        );
        await sleep(event.forMs);
        return this.#push(mesh.services, mesh.workloads);
      case 'configuration-change':
        return this.#configure(plan, plan.laterPolicy);
      case 'drain':
        world.drained = 0;
        return void (await this.#waypoints[0]?.drain(event.forMs));
      case 'redis-pause':
        await this.#redis?.pause();
        await sleep(event.forMs);
        return this.#redis?.restore();
      case 'redis-kill':
        // Until all callers have given up, or nearly: the run ends when it is back.
        await this.#redis?.kill();
        await sleep(event.forMs + 400);
        return this.#redis?.restore();
      case 'redis-restart':
        await this.#redis?.kill();
        return this.#redis?.restore();
    }
  }

  /** Waits until nothing is under way any more; what still is, after all the time in the world. */
  async #rest(journal: Journal): Promise<readonly string[]> {
    const endMs = performance.now() + restMs;
    for (;;) {
      const left = this.#taken(journal);
      if (left.length === 0 || performance.now() > endMs) return left;
      await sleep(5);
    }
  }

  #taken(journal: Journal): readonly string[] {
    const left: string[] = [];
    if (journal.working > 0) left.push(`ledger: requests ${journal.working}`);
    for (const [number, waypoint] of this.#waypoints.entries()) {
      if (waypoint.active > 0) left.push(`waypoint-${number}: active ${waypoint.active}`);
      for (const [backend, limits] of Object.entries(waypoint.taken))
        for (const [name, count] of Object.entries(limits))
          if (count !== 0) left.push(`waypoint-${number}: ${backend} ${name} ${count}`);
    }
    return left;
  }
}

type Mesh = { readonly services: readonly Service[]; readonly workloads: readonly Workload[] };

type World = {
  readonly plan: RunPlan;
  readonly mesh: Mesh;
  readonly journal: Journal;
  drained: 0 | undefined;
};

function ledgerOf({ run, protocol }: RunPlan): Service {
  const appProtocol = protocol === 'HTTP/2' ? 'HTTP2' : 'HTTP11';
  const ports = [{ servicePort: 8080, targetPort: 8080, appProtocol } as const];
  return service({ name: `ledger-r${run}`, namespace: 'ledger', addresses: [vip], ports });
}

function meshOf(plan: RunPlan, replicas: readonly LedgerReplica[]): Mesh {
  const ledger = ledgerOf(plan);
  const workloads = replicas.slice(0, plan.replicas).map((replica) =>
    workload({
      name: `ledger-${replica.number}-r${plan.run}`,
      namespace: 'ledger',
      serviceAccount: 'ledger',
      addresses: [replica.address],
      services: { [ledger.key]: { 8080: replica.port(plan.protocol) } },
    }),
  );
  return { services: [ledger], workloads };
}

function configurationOf(plan: RunPlan, policy: PolicyPlan, redis: LoggedRedis | undefined): WaypointConfiguration {
  const resilience = 'ResiliencePolicy ledger/payments';
  const { key } = ledgerOf(plan);
  const store = policy.store === 'redis' ? redis?.store(plan.run % 16) : undefined;
  return {
    namespace: 'ledger',
    name: 'ledger-waypoint',
    environment: 'test',
    services: [boundService({ key, resilience })],
    workloads: [],
    policies: {
      authorization: {},
      jwt: {},
      opa: {},
      resilience: { [resilience]: resilienceOf(policy, store) },
      rateLimits: {},
      faults: {},
    },
  };
}

function mergeLines(waypoints: readonly WaypointReplica[]): ReadonlyMap<string, readonly string[]> {
  const merged = new Map<string, string[]>();
  for (const { lines } of waypoints) for (const [id, outcomes] of lines) merged.set(id, [...(merged.get(id) ?? []), ...outcomes]);
  return merged;
}
