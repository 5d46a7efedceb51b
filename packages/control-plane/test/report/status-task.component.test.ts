import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { createMetrics } from '../../src/admin/control-plane-metrics.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { StatusTask } from '../../src/report/status-task.ts';
import { condition } from '../../src/report/status-report.ts';
import { KubernetesSource } from '../../src/watch/kubernetes-source.ts';
import { ApiPeer, failure } from '../fixtures/api-peer.ts';
import { pathOf, policyObject, serveAll } from '../fixtures/cluster-objects.ts';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import type { PeerObject } from '../fixtures/api-peer.ts';
import type { LeaderRun } from '../../src/lead/leader-task.ts';
import type { ObjectStatus, StatusReport } from '../../src/report/status-report.ts';

const policies = pathOf('AuthorizationPolicy');
const accepted = condition('ZtunnelAccepted', 'True', 'Accepted', 'fine');

/** A source on a peer, and the task that leads; time goes on while a test waits. */
class Writing implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly #peer: ApiPeer;
  readonly #api: ApiClient;
  readonly #source: KubernetesSource;
  readonly #abort = new AbortController();
  readonly task: StatusTask;
  readonly #run: LeaderRun;
  readonly warnings: LogFields[] = [];

  constructor(peer: ApiPeer) {
    const { clock } = this;
    const random = new FakeRandom([0]);
    const logger: Logger = { ...silentLogger, warn: (_message, fields = {}) => void this.warnings.push(fields) };
    this.#peer = peer;
    this.#api = new ApiClient({}, { kubeConfig: peer.kubeConfig, clock });
    const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };
    this.#source = new KubernetesSource(
      { rules },
      { api: this.#api, clock, random, logger: silentLogger, metrics: createMetrics() },
    );
    this.task = new StatusTask(this.#source);
    this.#run = this.task.lead({ api: this.#api, signal: this.#abort.signal, clock, random, logger });
  }

  static async start(peer: ApiPeer): Promise<Writing> {
    const writing = new Writing(peer);
    await writing.#source.start();
    await peer.until(() => peer.openWatches > 10, 'the watches');
    return writing;
  }

  say(objects: Readonly<Record<string, ObjectStatus>>, rejections: StatusReport['rejections'] = []): void {
    this.task.recvReport({ serving: 'current', objects, rejections });
  }

  lose(): void {
    this.#abort.abort();
  }

  get patches(): ApiPeer['calls'] {
    return this.#peer.calls.filter(({ method }) => method === 'PATCH');
  }

  async until(fits: () => boolean, what: string): Promise<void> {
    await this.#peer.until(() => {
      this.clock.advance(50);
      return fits();
    }, what);
  }

  /** Enough time for what would be written, and for its echo. */
  async settle(): Promise<void> {
    const end = this.clock.now() + 5000;
    await this.until(() => this.clock.now() > end, 'some seconds');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#run[Symbol.asyncDispose]();
    await this.#source[Symbol.asyncDispose]();
    this.#api[Symbol.dispose]();
  }
}

async function peerWith(...objects: readonly PeerObject[]): Promise<ApiPeer> {
  const peer = await ApiPeer.start();
  serveAll(peer);
  for (const object of objects) peer.put(policies, object);
  return peer;
}

function conditionsOf(peer: ApiPeer, key: string): readonly { readonly type: string; readonly message: string }[] {
  const { status } = (peer.get(policies, key) ?? {}) as { readonly status?: { readonly conditions?: [] } };
  return status?.conditions ?? [];
}

describe('StatusTask', () => {
  it('writes each status once, under the name of its reporter', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }), policyObject('q', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.until(() => conditionsOf(peer, 'bank/p').length === 1, 'the status');
    await writing.settle();
    expect(writing.patches.map(({ path, query }) => `${path}?${query.toString()}`)).to.deep.equal([
      '/apis/security.istio.io/v1/namespaces/bank/authorizationpolicies/p/status?fieldManager=clearmesh-authorization',
    ]);
  });

  it('applies where the server merges', async () => {
    await using peer = await peerWith();
    peer.put(pathOf('Service'), { metadata: { name: 'ledger', namespace: 'bank', generation: 0 } });
    await using writing = await Writing.start(peer);
    writing.say({
      'Service bank/ledger': { conditions: [condition('istio.io/WaypointBound', 'True', 'WaypointAccepted', 'x')] },
    });
    await writing.until(() => writing.patches.length === 1, 'the status');
    const [call] = writing.patches;
    expect(`${call?.path}?${call?.query.toString()}`).to.equal(
      '/api/v1/namespaces/bank/services/ledger/status?fieldManager=clearmesh-service&force=true',
    );
    expect(call?.body).to.deep.include({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'ledger', namespace: 'bank' } });
  });

  it('writes changes, and puts back what somebody took away', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    const say = (message: string): void =>
      writing.say({ 'AuthorizationPolicy bank/p': { conditions: [{ ...accepted, message }] } });
    const says = (message: string): boolean => conditionsOf(peer, 'bank/p').some((each) => each.message === message);
    say('one');
    await writing.until(() => says('one'), 'the first word');
    say('two');
    await writing.until(() => says('two'), 'the second word');
    peer.put(policies, { ...policyObject('p', { rules: [{}] }), status: { conditions: [{ type: 'Theirs' }] } });
    await writing.until(() => says('two'), 'the word put back');
    expect(conditionsOf(peer, 'bank/p').map(({ type }) => type)).to.deep.equal(['Theirs', 'ZtunnelAccepted']);
    writing.say({});
    await writing.until(() => !says('two'), 'the end of the word');
    expect(conditionsOf(peer, 'bank/p').map(({ type }) => type)).to.deep.equal(['Theirs']);
  });

  it('writes again from the newer state when an object changed meanwhile', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    peer.next('/status', failure(409, 'Conflict'));
    peer.next('/status', failure(503, 'ServiceUnavailable'));
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.until(() => conditionsOf(peer, 'bank/p').length === 1, 'the status');
    expect(writing.warnings.map(({ error }) => error)).to.deep.equal(['503 the peer says ServiceUnavailable']);
  });

  it('does not repeat what the server calls invalid', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    peer.always('/status', (_call, response) => failure(422, 'Invalid')(response, {} as never));
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.until(() => writing.warnings.length === 1, 'the warning');
    await writing.settle();
    expect(writing.patches).to.have.length(1);
  });

  it('writes one object five times a minute at most, whoever writes against it', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    peer.always('/status', (_call, response) => {
      response.end('{}');
      setImmediate(() => peer.put(policies, { ...policyObject('p', { rules: [{}] }), status: { conditions: [] } }));
    });
    const began = writing.clock.now();
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.until(() => writing.patches.length === 5, 'five writes');
    await writing.settle();
    writing.clock.advance(55_000 - (writing.clock.now() - began));
    expect(writing.patches).to.have.length(5);
    await writing.until(() => writing.patches.length > 5, 'the next minute');
    expect(writing.clock.now() - began).to.be.greaterThan(60_000);
  });

  it('says of an object that is wrong what is wrong', async () => {
    await using peer = await peerWith(policyObject('p', { action: 'DENNY' }));
    await using writing = await Writing.start(peer);
    const rejection = {
      code: 'MESH-CONFIG-001',
      file: '',
      line: 0,
      column: 0,
      object: 'AuthorizationPolicy bank/p',
      field: 'spec.action',
      value: '"DENNY"',
      message: 'is wrong',
      remedy: 'Mend it.',
    } as const;
    writing.say({}, [rejection]);
    await writing.until(() => conditionsOf(peer, 'bank/p').length === 1, 'the status');
    expect(conditionsOf(peer, 'bank/p')[0]?.message).to.equal(
      'spec.action is wrong (found "DENNY"). Mend it. Nothing of it is in force.',
    );
  });

  it('writes nothing before a configuration, and nothing once it leads no more', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    await using writing = await Writing.start(peer);
    writing.task.recvReport({ serving: 'none', objects: {}, rejections: [] });
    await writing.settle();
    writing.lose();
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.settle();
    expect(writing.patches).to.deep.equal([]);
  });

  it('leaves no timer behind', async () => {
    await using peer = await peerWith(policyObject('p', { rules: [{}] }));
    const writing = await Writing.start(peer);
    peer.always('/status', (_call, response) => failure(500, 'InternalError')(response, {} as never));
    writing.say({ 'AuthorizationPolicy bank/p': { conditions: [accepted] } });
    await writing.until(() => writing.patches.length > 1, 'some tries');
    await writing[Symbol.asyncDispose]();
    expect(writing.clock.pendingTimers).to.equal(0);
  });
});
