import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { createMetrics } from '../../src/admin/control-plane-metrics.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { KubernetesSource } from '../../src/watch/kubernetes-source.ts';
import { ApiPeer, failure } from '../fixtures/api-peer.ts';
import { namespaceObject, pathOf, podObject, policyObject, serveAll } from '../fixtures/cluster-objects.ts';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import type { SourceEvent } from '../../src/watch/configuration-source.ts';

type Taken = Extract<SourceEvent, { readonly kind: 'taken' }>;

class Sourcing implements AsyncDisposable {
  readonly #peer: ApiPeer;
  readonly #api: ApiClient;
  readonly source: KubernetesSource;
  readonly events: Taken[] = [];
  readonly lines: { readonly message: string; readonly fields: LogFields }[] = [];

  constructor(peer: ApiPeer, clock: Clock = systemClock) {
    this.#peer = peer;
    const write = (message: string, fields: LogFields = {}): void => void this.lines.push({ message, fields });
    const logger: Logger = { ...silentLogger, info: write, warn: write };
    this.#api = new ApiClient({ maxSockets: 4 }, { kubeConfig: peer.kubeConfig, clock });
    const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };
    this.source = new KubernetesSource(
      { rules, quietMs: 20 },
      { api: this.#api, clock, random: new FakeRandom([0]), logger, metrics: createMetrics() },
    );
    this.source.onEvent((event) => event.kind === 'taken' && this.events.push(event));
  }

  static async start(peer: ApiPeer, clock: Clock = systemClock): Promise<Sourcing> {
    const sourcing = new Sourcing(peer, clock);
    await sourcing.source.start();
    return sourcing;
  }

  /** The last event, once it fits. */
  async taken(fits: (event: Taken) => boolean): Promise<Taken> {
    await this.#peer.until(() => this.events.some(fits), 'such a configuration');
    return this.events.find(fits)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    this.#api[Symbol.dispose]();
  }
}

const allow = { action: 'ALLOW', rules: [{ from: [{ source: { namespaces: ['bank'] } }] }] };

describe('KubernetesSource', () => {
  it('tells nothing before every kind was listed, then all at once', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    peer.put(pathOf('Pod'), podObject('a', '10.0.0.1'));
    const policies = pathOf('AuthorizationPolicy');
    const mend = peer.always(policies, (_call, response) => failure(500, 'InternalError')(response, {} as never));
    await using sourcing = await Sourcing.start(peer);
    await peer.until(() => sourcing.source.waitsFor === 'AuthorizationPolicy (500 the peer says InternalError)', 'the wait');
    expect(sourcing.events).to.deep.equal([]);
    mend();
    const { collections, problems } = await sourcing.taken(() => true);
    expect(collections.pods.map(({ metadata }) => metadata.name)).to.deep.equal(['a']);
    expect(problems).to.deep.equal([]);
    expect(sourcing.source.waitsFor).to.equal(undefined);
  });

  it('keeps of a pod what is read, and nothing else', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    peer.put(pathOf('Pod'), podObject('a', '10.0.0.1'));
    await using sourcing = await Sourcing.start(peer);
    const { collections } = await sourcing.taken(() => true);
    expect(collections.pods).to.deep.equal([
      {
        metadata: {
          name: 'a',
          namespace: 'bank',
          uid: 'uid-a',
          labels: { app: 'a' },
          annotations: { 'ambient.istio.io/redirection': 'enabled' },
        },
        spec: {
          nodeName: 'node-a',
          serviceAccountName: 'default',
          containers: [{ ports: [{ containerPort: 8080, protocol: 'TCP' }] }],
        },
        status: {
          phase: 'Running',
          podIP: '10.0.0.1',
          podIPs: [{ ip: '10.0.0.1' }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
    ]);
  });

  it('tells changes together, and none that nobody reads', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    peer.put(pathOf('Pod'), podObject('a', '10.0.0.1'));
    await using sourcing = await Sourcing.start(peer);
    await sourcing.taken(() => true);
    await peer.until(() => peer.openWatches > 10, 'the watches');
    const pod = podObject('a', '10.0.0.1');
    peer.put(pathOf('Pod'), { ...pod, status: { ...(pod['status'] as object), startTime: '2026-01-01T00:00:00Z' } });
    for (let index = 0; index < 50; index++) peer.put(pathOf('Pod'), podObject(`b${index}`, `10.0.1.${index}`));
    await sourcing.taken(({ objects }) => objects === 51);
    expect(sourcing.events.length).to.be.at.most(3);
  });

  it('leaves out an object that is wrong, and keeps its last good version in force', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    const policies = pathOf('AuthorizationPolicy');
    peer.put(policies, policyObject('good', allow));
    peer.put(policies, policyObject('bad', { action: 'DENNY' }));
    await using sourcing = await Sourcing.start(peer);
    const first = await sourcing.taken(() => true);
    expect(first.collections.authorizationPolicies.map(({ metadata }) => metadata.name)).to.deep.equal(['bad', 'good']);
    expect(first.problems?.map(({ object, field, value, remedy }) => ({ object, field, value, remedy }))).to.deep.equal([
      { object: 'AuthorizationPolicy bank/bad', field: 'spec.action', value: '"DENNY"', remedy: 'Did you mean DENY?' },
    ]);
    peer.put(policies, policyObject('good', { ...allow, rulez: [] }, 2));
    const second = await sourcing.taken(({ problems = [] }) => problems.length === 2);
    expect(second.collections.authorizationPolicies).to.deep.equal(first.collections.authorizationPolicies);
    peer.put(policies, policyObject('good', { action: 'DENY', rules: [{}] }, 3));
    const third = await sourcing.taken(({ collections }) => collections.authorizationPolicies[1]?.spec?.action === 'DENY');
    expect(third.problems).to.have.length(1);
  });

  it('refuses for a policy that is wrong when the control plane starts, until it is mended', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    const policies = pathOf('AuthorizationPolicy');
    const good = { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['branches'] } }] }] };
    peer.put(policies, policyObject('p', good));
    {
      await using first = await Sourcing.start(peer);
      await first.taken(({ objects }) => objects === 1);
      peer.put(policies, policyObject('p', { ...good, action: 'DENNY' }, 2));
      const { collections, problems } = await first.taken(({ problems: told = [] }) => told.length === 1);
      expect(collections.authorizationPolicies.map(({ spec }) => spec)).to.deep.equal([good]);
      expect(problems?.[0]?.effect).to.equal(undefined);
    }
    await using second = await Sourcing.start(peer);
    const { collections, objects, problems } = await second.taken(() => true);
    expect(collections.authorizationPolicies).to.deep.equal([
      { metadata: { name: 'p', namespace: 'bank' }, spec: { action: 'DENY', rules: [{}] }, standIn: 'attached' },
    ]);
    expect(objects).to.equal(0);
    expect(problems?.[0]?.effect).to.equal('Everybody is refused in namespace bank until it is mended.');
    // As wrong as before, and for others: what stands for it follows.
    const selector = { matchLabels: { app: 'ledger' } };
    peer.put(policies, policyObject('p', { ...good, action: 'DENNY', selector }, 3));
    await second.taken((event) => event.collections.authorizationPolicies[0]?.spec?.selector?.matchLabels !== undefined);
    peer.put(policies, policyObject('p', good, 4));
    const mended = await second.taken((event) => event.objects === 1);
    expect(mended.collections.authorizationPolicies.map(({ spec }) => spec)).to.deep.equal([good]);
    expect(mended.problems).to.deep.equal([]);
  });

  it('keeps nothing of an object that was deleted and made anew', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    const policies = pathOf('AuthorizationPolicy');
    peer.put(policies, policyObject('p', allow));
    await using sourcing = await Sourcing.start(peer);
    await sourcing.taken(({ objects }) => objects === 1);
    const anew = policyObject('p', { action: 'NO' });
    peer.put(policies, { ...anew, metadata: { ...anew.metadata, uid: 'another' } });
    const { problems } = await sourcing.taken(({ objects }) => objects === 0);
    expect(problems).to.have.length(1);
  });

  it('takes what is misplaced out of force, since its last good version is as misplaced', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    const test = { 'clearmesh.io/environment': 'test' };
    peer.put(pathOf('Namespace'), namespaceObject('bank', test));
    const spec = {
      targetRefs: [{ kind: 'Service', name: 'ledger' }],
      startsAt: '2026-01-01T00:00:00Z',
      owner: 'ann',
      approver: 'bob',
      delay: '1s',
    };
    peer.put(pathOf('FaultExperiment'), policyObject('drill', spec));
    await using sourcing = await Sourcing.start(peer);
    await sourcing.taken(({ collections }) => collections.faultExperiments.length === 1);
    peer.put(pathOf('Namespace'), namespaceObject('bank'));
    const { problems } = await sourcing.taken(({ collections }) => collections.faultExperiments.length === 0);
    expect(problems?.map(({ code, object }) => `${code} ${object}`)).to.deep.equal([
      'MESH-CONFIG-002 FaultExperiment bank/drill',
    ]);
  });

  it('does not judge routes and Gateways of other controllers', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    peer.put(pathOf('HTTPRoute'), policyObject('theirs', { parentRefs: [{ name: 'edge' }], novelty: true }));
    peer.put(
      pathOf('HTTPRoute'),
      policyObject('ours', { parentRefs: [{ group: '', kind: 'Service', name: 'l' }], novelty: true }),
    );
    peer.put(pathOf('Gateway'), policyObject('edge', { gatewayClassName: 'nginx', novelty: true }));
    await using sourcing = await Sourcing.start(peer);
    const { problems } = await sourcing.taken(() => true);
    expect(problems?.map(({ object }) => object)).to.deep.equal(['HTTPRoute bank/ours']);
  });

  it('works without kinds that the cluster lacks, names each once, and reads them when they come', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer, ['OpaPolicy', 'HTTPRoute']);
    await using sourcing = await Sourcing.start(peer);
    await sourcing.taken(() => true);
    const lacks = sourcing.lines.filter(({ message }) => message.startsWith('the cluster has no such resource'));
    expect(lacks.map(({ fields }) => fields['kind'])).to.have.members(['HTTPRoute', 'OpaPolicy']);
    expect(sourcing.source.states.get('OpaPolicy')?.kind).to.equal('absent');
  });

  it('waits for a permission that the mesh would be open without, and for no other', async () => {
    await using peer = await ApiPeer.start();
    serveAll(peer);
    const forbid = (kind: string): (() => void) =>
      peer.always(pathOf(kind), (_call, response) => failure(403, 'Forbidden')(response, {} as never));
    forbid('FaultExperiment');
    forbid('AuthorizationPolicy');
    await using sourcing = await Sourcing.start(peer);
    await peer.until(() => sourcing.source.waitsFor === 'AuthorizationPolicy (403 the peer says Forbidden)', 'the wait');
    expect(sourcing.lines.map(({ fields }) => fields['kind'])).to.have.members(['FaultExperiment', 'AuthorizationPolicy']);
    expect(sourcing.events).to.deep.equal([]);
  });

  it('keeps what it told while the API server is away, and says since when', async () => {
    const clock = new FakeClock();
    const first = await ApiPeer.start();
    serveAll(first);
    first.put(pathOf('Pod'), podObject('a', '10.0.0.1'));
    await using sourcing = await Sourcing.start(first, clock);
    await first.until(() => first.openWatches > 10 && clock.nextTimerMs === 20, 'the lists');
    clock.advance(20);
    expect(sourcing.events).to.have.length(1);
    await first[Symbol.asyncDispose]();
    const gone = new Date(clock.now()).toISOString();
    await first.until(
      () => sourcing.source.states.get('Pod')?.kind === 'synced' && clock.pendingTimers > 5,
      'the end of watches',
    );
    const told = (): boolean => sourcing.lines.some(({ message }) => message.includes('cannot be watched'));
    await first.until(() => {
      clock.advance(50);
      return told();
    }, 'the warning');
    const line = sourcing.lines.find(({ message }) => message.includes('cannot be watched'));
    expect(String(line?.fields['since']).slice(0, 16)).to.equal(gone.slice(0, 16));
    expect(sourcing.events).to.have.length(1);
    expect(sourcing.source.waitsFor).to.equal(undefined);
  });

  it('leaves no timer or watch behind', async () => {
    const clock = new FakeClock();
    await using peer = await ApiPeer.start();
    serveAll(peer);
    for (let round = 0; round < 5; round++) {
      await using _sourcing = await Sourcing.start(peer, clock);
      await peer.until(() => peer.openWatches > 10, 'the watches');
    }
    await peer.until(() => peer.openWatches === 0, 'the end of all watches');
    expect(clock.pendingTimers).to.equal(0);
  });
});
