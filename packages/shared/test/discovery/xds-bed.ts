/** An XdsClient with its files, its snapshot and control planes to talk to. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lifecycle/clock.ts';
import type { Clock } from '../../src/lifecycle/clock.ts';
import { silentLogger } from '../../src/observe/log.ts';
import { proxyNode } from '../../src/subscribe/proxy-node.ts';
import type { ResourceSet } from '../../src/subscribe/delta-server.ts';
import { authorization, workload } from '../../src/testing/builders.ts';
import type { FakeClock } from '../../src/testing/fake-clock.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { encodeAuthorization } from '../../src/wire/authorization.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../../src/wire/type-urls.ts';
import { encodeWorkload } from '../../src/wire/wds.ts';
import type { SnapshotStore } from '../../src/snapshot/snapshot-store.ts';
import { XdsClient } from '../../src/discovery/xds-client.ts';
import type { XdsTermination } from '../../src/discovery/xds-client.ts';
import type { XdsRemote } from '../../src/discovery/xds-connection.ts';
import { storeOf } from '../../src/testing/pushes.ts';
import { FakeControlPlane } from './fake-control-plane.ts';

export type Subscribed = {
  readonly client: XdsClient;
  readonly store: SnapshotStore;
  readonly ends: XdsTermination[];
  readonly received: [string, number][];
  /** Names asked for, as they were answered. */
  readonly answered: string[];
  /** Resolves at the first sync. */
  readonly synced: Promise<void>;
};

export type Published = { readonly name: string; readonly version: string; readonly value: Uint8Array };

const node = proxyNode({ podName: 'ztunnel-x', podNamespace: 'mesh-system', nodeName: 'node-a', instanceIp: '10.98.0.10' });

export const policy: Published = { name: 'bank/policy', version: '', value: encodeAuthorization(authorization()) };

/** A pod as the control plane publishes it. */
export function pod(name: string): Published {
  return { name: `Kubernetes//Pod/bank/${name}`, version: `v-${name}`, value: encodeWorkload(workload({ name })) };
}

export function resources(addresses: readonly Published[]): ResourceSet {
  const published = (list: readonly Published[]) =>
    new Map(list.map(({ name, version, value }) => [name, { version, value, aliases: [] }]));
  return new Map([
    [ADDRESS_TYPE_URL, published(addresses)],
    [AUTHORIZATION_TYPE_URL, published([policy])],
  ]);
}

export class XdsBed implements AsyncDisposable {
  readonly #open = new AsyncDisposableStack();
  readonly remote: Omit<XdsRemote, 'url'>;
  authority: TestAuthority;

  private constructor(authority: TestAuthority, directory: string) {
    this.authority = authority;
    this.remote = { root: join(directory, 'root.pem'), authToken: join(directory, 'token'), clusterId: 'cl-1' };
    this.#open.defer(() => rm(directory, { recursive: true }));
  }

  static async open(): Promise<XdsBed> {
    const bed = new XdsBed(await TestAuthority.create(), await mkdtemp(join(tmpdir(), 'clearmesh-xds-')));
    await writeFile(bed.remote.root, bed.authority.rootPem);
    await writeFile(bed.remote.authToken, 'token-one\n');
    return bed;
  }

  /** A new authority and a new token, in the files that the client reads. */
  async rotate(token: string): Promise<void> {
    this.authority = await TestAuthority.create({ name: 'rotated' });
    await writeFile(this.remote.root, this.authority.rootPem);
    await writeFile(this.remote.authToken, token);
  }

  async plane(behaviour: FakeControlPlane['behaviour'], port?: number): Promise<FakeControlPlane> {
    return this.#open.use(await FakeControlPlane.listen(this.authority, behaviour, port));
  }

  start(
    url: string,
    { clock = systemClock, extra = {}, onDemand = false }: { clock?: Clock; extra?: Partial<XdsRemote>; onDemand?: boolean } = {},
  ): Subscribed {
    const store = storeOf();
    const ends: XdsTermination[] = [];
    const received: [string, number][] = [];
    const answered: string[] = [];
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const metrics = {
      xdsTerminated: (reason: XdsTermination) => void ends.push(reason),
      xdsReceived: (typeUrl: string, bytes: number) => void received.push([typeUrl, bytes]),
    };
    const deps = {
      apply: store.apply.bind(store),
      recvSynced: resolve,
      recvAnswered: (names: readonly string[]) => void answered.push(...names),
      metrics,
      clock,
      random: new FakeRandom(),
      logger: silentLogger,
    };
    const client = this.#open.use(new XdsClient({ remote: { url, ...this.remote, ...extra }, node, onDemand }, deps));
    client.start();
    return { client, store, ends, received, answered, synced };
  }

  /** Ends with the bed. */
  defer(end: () => void): void {
    this.#open.defer(end);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync();
  }
}

/** Rejects unless a pod of this name is in the snapshot soon. */
export async function arrival(store: SnapshotStore, name: string): Promise<void> {
  const found = await store.awaitWorkload({ namespace: 'bank', name, serviceAccount: 'default' }, AbortSignal.timeout(5_000));
  if (found?.name !== name) throw new Error(`${name} did not arrive`);
}

/** Resolves when the next timer of the clock is `delayMs` away: what leads there is real input and output. */
export async function untilTimer(clock: FakeClock, delayMs: number): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (clock.nextTimerMs === undefined || Math.round(clock.nextTimerMs) !== delayMs) {
    if (performance.now() > endMs) throw new Error(`no timer of ${delayMs} ms; the next is ${clock.nextTimerMs} ms away`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
