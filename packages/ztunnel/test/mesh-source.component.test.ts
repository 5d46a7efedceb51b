import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { Metrics } from '../src/admin/metrics.ts';
import { readConfig } from '../src/config.ts';
import { MeshSource } from '../src/mesh-source.ts';

const workload = 'workloads: [{ uid: a, name: a, namespace: bank, workloadIps: [10.0.0.1], protocol: HBONE }]';

/** A subscription to a control plane is what main.node.test.ts sees. */
describe('where the mesh is known from', () => {
  let clock: FakeClock;
  let news: string[];

  beforeEach(() => {
    clock = new FakeClock();
    news = [];
  });
  afterEach(() => expect(clock.pendingTimers).to.equal(0));

  const sourceOf = (env: Environment): MeshSource =>
    new MeshSource(readConfig({ NODE_NAME: 'node-a', XDS_ADDRESS: '', ...env }), {
      env,
      metrics: new Metrics({ version: '0' }, { clock }),
      log: { scope: (name) => ({ ...silentLogger, warn: (message) => news.push(`${name}: ${message}`) }) },
      clock,
      random: new FakeRandom(),
    });
  const begin = (source: MeshSource): Promise<void> => source.begin(() => void news.push('synced'));

  it('is a file where one is named, and nobody looks at it once the source is disposed of', async () => {
    await using directory = await TemporaryDirectory.create();
    const path = join(directory.path, 'mesh.yaml');
    await writeFile(path, workload);
    {
      await using source = sourceOf({ LOCAL_XDS_PATH: path });
      await begin(source);
      expect(news).to.deep.equal(['synced']);
      expect(source.store.current.workloadByPod('bank', 'a', 'default')?.uid).to.equal('a');
      expect(clock.pendingTimers).to.equal(1);
    }
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects, and is not known, where that file cannot be used', async () => {
    await using source = sourceOf({ LOCAL_XDS: 'workloads: 7' });
    expect(await begin(source).catch((error: unknown) => error)).to.have.property('code', 'MESH-CONFIG-001');
    expect(news).to.deep.equal([]);
  });

  it('is nothing where neither a file nor a control plane is named, which the log tells', async () => {
    await using source = sourceOf({});
    await begin(source);
    expect(news).to.deep.equal(['ztunnel: XDS_ADDRESS is empty: without a control plane no pod is served']);
  });

  it('is asked about names only where that is wanted', async () => {
    const asked = { XDS_ADDRESS: 'https://control-plane.mesh:15012', ISTIO_META_DNS_CAPTURE: 'false' };
    await using whole = sourceOf(asked);
    expect(whole.onDemand).to.equal(undefined);
    await using source = sourceOf({ ...asked, XDS_ON_DEMAND: 'true' });
    const onDemand = source.onDemand ?? expect.fail('it subscribes to everything');
    // Nobody is asked before the source has begun.
    using _held = onDemand.hold({ namespace: 'bank', name: 'a', serviceAccount: 'a' });
    expect(onDemand.size).to.equal(0);
  });
});
