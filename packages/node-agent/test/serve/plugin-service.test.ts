import { NetworkNamespace } from '@clearmesh/linux/netns';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { MeshErrorCode } from '@clearmesh/shared/observe/error-codes';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CniError } from '../../src/plugin/cni-error.ts';
import type { PodCall } from '../../src/plugin/pod-call.ts';
import { PluginService } from '../../src/serve/plugin-service.ts';
import { KubeFailure } from '../../src/watch/kube-api.ts';
import type { NodePod } from '../../src/watch/pod-object.ts';
import { nodePod } from '../capture/capture-bed.ts';

const call: PodCall = {
  containerId: 'c1',
  netns: '/n',
  podNamespace: 'bank',
  podName: 'a',
  podUid: 'uid-a',
  ips: ['10.0.0.7'],
  pid: 7,
};
const never = new AbortController().signal;
const ambient = { 'istio.io/dataplane-mode': 'ambient' };
const object = { metadata: { name: 'a', namespace: 'bank', uid: 'uid-a' }, status: { phase: 'Pending' } };

describe('PluginService', () => {
  const clock = new FakeClock();
  let known: NodePod | undefined;
  let labels: Readonly<Record<string, string>> | undefined;
  let isSynced: boolean;
  let isLive: boolean;
  let answers: Readonly<Record<string, unknown>>;
  let refusal: MeshError | undefined;
  let lacking: readonly string[];
  let isFound: boolean;
  let admitted: NodePod[];
  let gone: string[];
  let given: NetworkNamespace[];
  let service: PluginService;

  beforeEach(() => {
    [known, labels, isSynced, isLive, answers] = [nodePod({ podIps: [] }), ambient, true, true, {}];
    [refusal, lacking, isFound, admitted, gone, given] = [undefined, [], true, [], [], []];
    service = new PluginService(
      { excludedNamespaces: ['kube-system'], systemNamespace: 'clearmesh-system' },
      {
        view: {
          get synced() {
            return isSynced;
          },
          get live() {
            return isLive;
          },
          pod: () => known,
          namespaceLabels: () => labels,
        },
        api: {
          get: async (path) => {
            if (path in answers) return answers[path];
            throw new KubeFailure('unavailable', 503);
          },
        },
        captures: {
          admit: async (pod, _redirection, { netns }) => {
            netns[Symbol.dispose]();
            admitted.push(pod);
            if (refusal !== undefined) throw refusal;
          },
          sandboxGone: (uid, { containerId }) => void gone.push(`${uid} ${containerId}`),
          isCaptured: () => admitted.length > 0,
        },
        finder: { openPath: () => open() },
        redirector: { inspect: async () => ({ deviations: lacking, captures: lacking.length === 0 }) },
        redirectionOf: () => ({}),
        clock,
        logger: silentLogger,
      },
    );
  });
  afterEach(() => {
    expect(given.filter(({ fd }) => fd >= 0)).to.deep.equal([]);
    expect(clock.pendingTimers).to.equal(0);
  });

  function open(): ReturnType<ConstructorParameters<typeof PluginService>[1]['finder']['openPath']> {
    if (!isFound) return { kind: 'missing', reason: 'ENOENT' };
    const netns = NetworkNamespace.current();
    given.push(netns);
    return { kind: 'found', netns };
  }

  /** The refusal of a call, time passing as it needs. */
  async function refused(task: Promise<unknown>): Promise<CniError> {
    const settled = passing(
      task.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    const error = await settled;
    expect(error).to.be.instanceOf(CniError);
    return error as CniError;
  }

  async function passing<Value>(task: Promise<Value>): Promise<Value> {
    const state = { isDone: false };
    const done = task.finally(() => (state.isDone = true));
    while (!state.isDone) {
      await new Promise((resolve) => void setImmediate(resolve));
      clock.advance(10);
    }
    return done;
  }

  it('admits a pod of the mesh with the addresses that its sandbox has', async () => {
    expect(await service.add(call, never)).to.deep.include({ inMesh: true });
    expect(admitted.map(({ podIps }) => podIps)).to.deep.equal([['10.0.0.7']]);
  });

  it('lets a pod pass that does not belong to it', async () => {
    labels = {};
    expect(await service.add(call, never)).to.deep.include({ inMesh: false });
    expect(await service.check(call, never)).to.deep.include({ inMesh: false });
    expect(admitted).to.deep.equal([]);
  });

  it('asks the API about a pod, and a namespace, that it has not heard of', async () => {
    [known, labels] = [undefined, undefined];
    answers = {
      '/api/v1/namespaces/bank/pods/a': object,
      '/api/v1/namespaces/bank': { metadata: { name: 'bank', labels: ambient } },
    };
    expect(await passing(service.add(call, never))).to.deep.include({ inMesh: true });
  });

  it('asks the API where it hears of no changes, and believes what it heard last when that does not answer', async () => {
    isLive = false;
    answers = { '/api/v1/namespaces/bank/pods/a': object, '/api/v1/namespaces/bank': { metadata: { name: 'bank', labels: {} } } };
    expect(await passing(service.add(call, never))).to.deep.include({ inMesh: false });
    answers = {};
    expect(await passing(service.add(call, never))).to.deep.include({ inMesh: true });
  });

  for (const { title, prepare, says } of [
    { title: 'nothing is known yet', prepare: () => (isSynced = false), says: /has not read its pods/ },
    { title: 'the API does not tell', prepare: () => (known = undefined), says: /unavailable/ },
    {
      title: 'the API has another pod of this name',
      prepare: () => {
        known = undefined;
        answers = { '/api/v1/namespaces/bank/pods/a': { ...object, metadata: { ...object.metadata, uid: 'other' } } };
      },
      says: /another pod of this name/,
    },
  ]) {
    it(`refuses for a while when ${title}`, async () => {
      prepare();
      const error = await refused(service.add(call, never));
      expect(error.code).to.equal(11);
      expect(error.message).to.match(says);
    });
  }

  it('refuses a sandbox that cannot be opened, and rules that cannot be made, each with its code', async () => {
    isFound = false;
    expect((await refused(service.add(call, never))).code).to.equal(5);
    isFound = true;
    for (const [code, told] of [
      ['MESH-REDIRECT-001', 101],
      ['MESH-AGENT-001', 11],
    ] as readonly [MeshErrorCode, number][]) {
      refusal = new MeshError(code, { message: 'no' });
      expect((await refused(service.add(call, never))).code).to.equal(told);
    }
  });

  it('finds a pod amiss that lacks rules, or its proxy', async () => {
    expect((await refused(service.check(call, never))).message).to.include('the node proxy has not taken it over');
    await service.add(call, never);
    expect(await service.check(call, never)).to.deep.include({ inMesh: true });
    lacking = ['inbound'];
    const { code, message } = await refused(service.check(call, never));
    expect([code, message.includes('1 of its rules are missing, first: inbound')]).to.deep.equal([103, true]);
  });

  it('notes a DEL, whatever it can find', () => {
    service.del(call);
    isFound = false;
    service.del({ ...call, podUid: '' });
    known = undefined;
    service.del({ ...call, podUid: '', netns: '' });
    expect(gone).to.deep.equal(['uid-a c1', 'uid-a c1', ' c1']);
  });
});
