/** A mesh that is asked for on demand: the client's machine, and the control plane's at the other end of a wire that the test moves. */
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import type { PublishedResource, ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { proxyNode } from '@clearmesh/shared/subscribe/proxy-node';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { OnDemandMesh } from '../../src/discover/on-demand-mesh.ts';
import type { LookupOutcome, OnDemandOptions } from '../../src/discover/on-demand-mesh.ts';

export type Published = { readonly workloads?: readonly Workload[]; readonly services?: readonly Service[] };

export class OnDemandBed {
  readonly clock: FakeClock = new FakeClock();
  readonly store: SnapshotStore;
  readonly mesh: OnDemandMesh;
  readonly client: DeltaClient = new DeltaClient({
    node: proxyNode({ podName: 'p', podNamespace: 'n', nodeName: 'x' }),
    onDemand: true,
  });
  readonly outcomes: LookupOutcome[] = [];
  /** Every name that the control plane was asked for or told to forget, in order; a dash before the latter. */
  readonly asked: string[] = [];
  #published: ResourceSet = new Map();
  #server: DeltaServerStream | undefined;
  #wire: DeltaDiscoveryResponse[] = [];

  constructor(published: Published = {}, options: Partial<OnDemandOptions> = {}, store?: SnapshotStore) {
    const { client } = this;
    this.store = store ?? storeOf({}, this.clock);
    this.mesh = new OnDemandMesh(
      { clusterId: 'Kubernetes', ...options },
      {
        store: this.store,
        subscription: {
          stateOf: (name) => client.stateOf(name),
          ask: (name) => client.ask(name),
          assume: (name) => {
            client.assume(name);
            this.mesh.recvAnswered(client.takeAnswered());
          },
          giveUp: (name) => client.giveUp(name),
        },
        clock: this.clock,
        metrics: { lookedUpOnDemand: (outcome) => void this.outcomes.push(outcome) },
      },
    );
    this.publish(published);
    this.connect();
  }

  publish({ workloads = [], services = [] }: Published): void {
    const version = (value: Uint8Array): string => Buffer.from(value).toString('base64');
    const resources: [string, PublishedResource][] = [
      ...services.map((each): [string, PublishedResource] => {
        const value = encodeService(each);
        const aliases = each.addresses.map(({ network, ip, prefixLength }) => [network, ip, prefixLength ?? []].flat().join('/'));
        return [each.key, { version: version(value), value, aliases }];
      }),
      ...workloads.map((each): [string, PublishedResource] => {
        const value = encodeWorkload(each);
        const aliases = each.addresses.map((ip) => `${each.network}/${ip}`);
        return [each.uid, { version: version(value), value, aliases, behind: [...each.services.keys()] }];
      }),
    ];
    this.#published = new Map([[ADDRESS_TYPE_URL, new Map(resources)]]);
    this.#wire.push(...(this.#server?.publish(this.#published) ?? []));
  }

  /** A new stream; what was on the wire is lost. */
  connect(): void {
    this.#server = new DeltaServerStream();
    this.#wire = [];
    for (const request of this.client.connected()) this.#tell(request);
  }

  disconnect(): void {
    this.#server = undefined;
    this.#wire = [];
  }

  /** Carries everything both ways until there is nothing more to say. */
  async deliver(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      const request = this.#server === undefined ? undefined : this.client.takeRequest();
      if (request !== undefined) this.#tell(request);
      for (const response of this.#wire.splice(0)) {
        this.#tell(this.client.recvResponse(response, (push) => this.mesh.apply(push)));
        this.mesh.recvAnswered(this.client.takeAnswered());
      }
      if (request !== undefined || this.#wire.length > 0) quiet = 0;
    }
  }

  #tell(request: DeltaDiscoveryRequest): void {
    if (this.#server === undefined) return;
    this.asked.push(...request.resourceNamesSubscribe, ...request.resourceNamesUnsubscribe.map((name) => `-${name}`));
    this.#wire.push(...this.#server.recvRequest(request, this.#published));
  }
}
