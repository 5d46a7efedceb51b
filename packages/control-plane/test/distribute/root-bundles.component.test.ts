import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { decideBundle } from '../../src/distribute/bundle-decision.ts';
import { RootBundles } from '../../src/distribute/root-bundles.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { ApiPeer } from '../fixtures/api-peer.ts';
import { namespaceObject } from '../fixtures/cluster-objects.ts';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import type { LeaderRun } from '../../src/lead/leader-task.ts';

const namespaces = '/api/v1/namespaces';
const configMaps = '/api/v1/configmaps';

class Leading implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly #api: ApiClient;
  readonly #abort = new AbortController();
  readonly #run: LeaderRun;
  readonly #peer: ApiPeer;
  readonly warnings: { readonly message: string; readonly fields: LogFields }[] = [];

  constructor(peer: ApiPeer, rootPem = 'ROOT') {
    this.#peer = peer;
    const logger: Logger = {
      ...silentLogger,
      warn: (message, fields = {}) => void this.warnings.push({ message, fields }),
    };
    const { clock } = this;
    this.#api = new ApiClient({}, { kubeConfig: peer.kubeConfig, clock });
    this.#run = new RootBundles({ rootPem, onReplaced: () => () => {} }).lead({
      api: this.#api,
      signal: this.#abort.signal,
      clock,
      random: new FakeRandom(),
      logger,
    });
  }

  get held(): Readonly<Record<string, unknown>> {
    const names = ['bank', 'new', 'kube-public', 'kube-node-lease', 'going'];
    return Object.fromEntries(
      names.flatMap((name) => {
        const object = this.#peer.get(configMaps, `${name}/istio-ca-root-cert`);
        return object === undefined ? [] : [[name, (object['data'] as Record<string, unknown>)['root-cert.pem']]];
      }),
    );
  }

  writes(): number {
    return this.#peer.calls.filter(({ method }) => method !== 'GET').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#run[Symbol.asyncDispose]();
    this.#api[Symbol.dispose]();
  }
}

async function peerWith(...names: readonly string[]): Promise<ApiPeer> {
  const peer = await ApiPeer.start();
  peer.serve(
    namespaces,
    names.map((name) => namespaceObject(name)),
  );
  peer.serve(configMaps);
  return peer;
}

function bundle(text: string, data: Readonly<Record<string, string>> = {}): Parameters<ApiPeer['put']>[1] {
  return {
    metadata: {
      name: 'istio-ca-root-cert',
      namespace: 'bank',
      managedFields: [
        { manager: 'clearmesh-root', time: '2026-01-01T00:00:00Z' },
        { manager: 'pilot-discovery', time: '2026-01-01T00:00:01Z' },
      ],
    },
    data: { ...data, 'root-cert.pem': text },
  };
}

describe('RootBundles', () => {
  it('puts the root into each namespace but the excluded and those that go, and into new ones', async () => {
    await using peer = await peerWith('bank', 'kube-public', 'kube-node-lease');
    peer.put(namespaces, { ...namespaceObject('going'), status: { phase: 'Terminating' } });
    await using leading = new Leading(peer);
    await peer.until(() => 'bank' in leading.held && peer.openWatches === 2, 'the root');
    peer.put(namespaces, namespaceObject('new'));
    await peer.until(() => 'new' in leading.held, 'the root in a new namespace');
    expect(leading.held).to.deep.equal({ bank: 'ROOT', new: 'ROOT' });
  });

  it('leaves alone what is right, and mends what was edited or deleted', async () => {
    await using peer = await peerWith('bank');
    peer.put(configMaps, bundle('ROOT'));
    await using leading = new Leading(peer);
    await peer.until(() => peer.openWatches === 2, 'the watches');
    expect(leading.writes()).to.equal(0);
    peer.put(configMaps, bundle('OTHER', { more: 'kept' }));
    await peer.until(() => leading.held['bank'] === 'ROOT', 'the mended root');
    expect(peer.get(configMaps, 'bank/istio-ca-root-cert')?.['data']).to.deep.equal({ 'root-cert.pem': 'ROOT', more: 'kept' });
    peer.remove(configMaps, 'bank/istio-ca-root-cert');
    await peer.until(() => leading.held['bank'] === 'ROOT', 'the new root');
    expect(leading.writes()).to.equal(2);
  });

  it('stops fighting another writer, says who it is, and tries again after ten minutes', async () => {
    await using peer = await peerWith('bank');
    await using leading = new Leading(peer);
    await peer.until(() => peer.openWatches === 2 && leading.held['bank'] === 'ROOT', 'the root');
    for (let round = 1; round <= 5; round++) {
      leading.clock.advance(1000);
      peer.put(configMaps, bundle(`ISTIO ${round}`));
      await peer.until(() => leading.held['bank'] === 'ROOT', `round ${round}`);
    }
    peer.put(configMaps, bundle('ISTIO'));
    await peer.until(() => leading.warnings.length > 0, 'the warning');
    const writes = leading.writes();
    peer.put(configMaps, bundle('ISTIO again'));
    leading.clock.advance(1000);
    expect(leading.warnings.map(({ fields }) => [fields['namespace'], fields['writer']])).to.deep.equal([
      ['bank', 'pilot-discovery'],
    ]);
    expect([leading.held['bank'], leading.writes()]).to.deep.equal(['ISTIO again', writes]);
    leading.clock.advance(140_000);
    leading.clock.advance(460_000);
    await peer.until(() => leading.held['bank'] === 'ROOT', 'the root after ten minutes');
  });

  it('leaves no timer or watch behind', async () => {
    await using peer = await peerWith('bank');
    for (let round = 0; round < 5; round++) {
      const leading = new Leading(peer, `ROOT ${round}`);
      await peer.until(() => peer.openWatches === 2 && leading.held['bank'] === `ROOT ${round}`, 'the root');
      await leading[Symbol.asyncDispose]();
      expect(leading.clock.pendingTimers).to.equal(0);
    }
    await peer.until(() => peer.openWatches === 0, 'the end of the watches');
  });
});

describe('decideBundle', () => {
  const facts = { active: true, bundle: 'wrong', mendedMs: [], nowMs: 100_000 } as const;
  for (const [title, namespace, changes, kind] of [
    ['makes what is missing', 'bank', { bundle: 'missing' }, 'create'],
    ['mends what is wrong', 'bank', {}, 'mend'],
    ['leaves what is right', 'bank', { bundle: 'right' }, 'leave'],
    ['leaves namespaces that go', 'bank', { active: false }, 'leave'],
    ['leaves kube-public', 'kube-public', { bundle: 'missing' }, 'leave'],
    ['mends after four changes in a minute', 'bank', { mendedMs: [61_000, 70_000, 80_000, 90_000] }, 'mend'],
    ['yields after five changes in a minute', 'bank', { mendedMs: [41_000, 61_000, 70_000, 80_000, 90_000] }, 'yield'],
    ['mends after five changes in more than a minute', 'bank', { mendedMs: [30_000, 61_000, 70_000, 80_000, 90_000] }, 'mend'],
    ['mends after it yielded', 'bank', { mendedMs: [1, 2, 3, 4, 5], nowMs: 600_005 }, 'mend'],
  ] as const) {
    it(title, () => {
      expect(decideBundle(namespace, { ...facts, ...changes }).kind).to.equal(kind);
    });
  }
});
