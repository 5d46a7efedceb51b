import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { XdsClient } from '@clearmesh/shared/discovery/xds-client';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import { node, RunningControlPlane } from '../fixtures/running-control-plane.ts';

const selected = (name: string, ip: string, app: string): string =>
  `---\napiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: bank, labels: { app: ${app} } }\nstatus: { podIP: ${ip} }\n`;
const ledger =
  '---\napiVersion: v1\nkind: Service\nmetadata: { name: ledger, namespace: bank }\nspec: { clusterIP: 10.96.0.1, selector: { app: ledger }, ports: [{ port: 80 }] }\n';
const partner = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner, namespace: bank }
spec: { hosts: [partner.example], addresses: [10.65.0.0/16], ports: [{ number: 443, name: tls, protocol: TLS }], resolution: NONE }
`;
const files = {
  'manifests/pods.yaml': selected('ledger-1', '10.244.1.1', 'ledger') + selected('other', '10.244.1.2', 'other'),
  'manifests/services.yaml': ledger + partner,
};

/** A proxy that asks the control plane for addresses one by one, over TLS. */
class Asking implements AsyncDisposable {
  readonly store: SnapshotStore = storeOf();
  readonly client: XdsClient;
  readonly answered: string[] = [];
  readonly #synced = Promise.withResolvers<void>();

  constructor(running: RunningControlPlane, token: string) {
    this.client = new XdsClient(
      { remote: { url: running.url, root: running.rootPem, authToken: token, clusterId: 'Kubernetes' }, node, onDemand: true },
      {
        apply: (push) => this.store.apply(push),
        recvSynced: this.#synced.resolve,
        recvAnswered: (names) => void this.answered.push(...names),
        metrics: { xdsTerminated: () => {}, xdsReceived: () => {} },
        clock: systemClock,
        random: new FakeRandom(),
        logger: silentLogger,
      },
    );
    this.client.start();
  }

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get names(): readonly string[] {
    return [...this.store.current.workloads, ...this.store.current.services].map(({ name }) => name).toSorted();
  }

  async ask(...names: readonly string[]): Promise<void> {
    for (const name of names) expect(this.client.ask(name)).to.equal(true);
    await eventually(names.join(), () => names.every((name) => this.client.stateOf(name) === 'answered'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client[Symbol.asyncDispose]();
  }
}

describe('discovery on demand, over TLS', () => {
  let running: RunningControlPlane;
  let asking: Asking;
  beforeEach(async () => {
    running = await RunningControlPlane.start(files);
    asking = new Asking(running, await running.issuer.token());
    await asking.synced;
  });
  afterEach(async () => {
    await asking[Symbol.asyncDispose]();
    await running[Symbol.asyncDispose]();
  });

  it('brings nothing but policies by itself', () => {
    expect(asking.names).to.deep.equal([]);
    expect([...asking.store.current.policies]).to.have.length(1);
  });

  it('brings the pods of the proxy’s own node unasked, as proxies of others expect', async () => {
    const own = (name: string, node: string): string =>
      selected(name, '10.244.2.1', 'own').replace('status:', `spec: { nodeName: ${node}, containers: [] }\nstatus:`);
    await running.replace('manifests/own.yaml', own('own', 'node-a') + own('far', 'node-b').replace('2.1', '2.2'));
    await eventually('the own pod', () => asking.names.join() === 'own');
  });

  it('brings a pod by its address and by its uid, and nothing for an address that nobody has', async () => {
    await asking.ask('/10.244.1.2', '/10.244.9.9');
    expect(asking.names).to.deep.equal(['other']);
    await asking.ask('Kubernetes//Pod/bank/ledger-1');
    expect(asking.names).to.deep.equal(['ledger-1', 'other']);
  });

  it('brings a service by its VIP with the pods behind it, and those that come and go', async () => {
    await asking.ask('/10.96.0.1');
    expect(asking.names).to.deep.equal(['ledger', 'ledger-1']);
    await running.replace('manifests/pods.yaml', selected('ledger-2', '10.244.1.3', 'ledger'));
    await eventually('the new pod', () => asking.names.join() === 'ledger,ledger-2');
  });

  it('brings a service by its hostname, and by any address of its block', async () => {
    await asking.ask('bank/ledger.bank.svc.cluster.local', '/10.65.1.2');
    expect(asking.names).to.deep.equal(['ledger', 'ledger-1', 'partner']);
  });

  it('brings what gets an address that nobody had', async () => {
    await asking.ask('/10.244.1.7');
    await running.replace('manifests/late.yaml', selected('late', '10.244.1.7', 'other'));
    await eventually('the late pod', () => asking.names.join() === 'late');
  });

  it('brings nothing more of a name that was given up', async () => {
    await asking.ask('/10.244.1.2', '/10.96.0.1');
    asking.client.giveUp('/10.244.1.2');
    await eventually('its removal', () => asking.names.join() === 'ledger,ledger-1');
    expect(asking.client.stateOf('/10.244.1.2')).to.equal(undefined);
  });

  it('answers hundreds of names asked for at once', async () => {
    await asking.ask(...Array.from({ length: 2_000 }, (_, at) => `/10.9.${Math.floor(at / 200)}.${at % 200}`), '/10.244.1.2');
    expect([asking.names, asking.answered.length]).to.deep.equal([['other'], 2_001]);
  });
});
