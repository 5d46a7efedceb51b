import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import { openSelfMadeAuthority } from '@clearmesh/shared/certificates/self-made-authority';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { Metrics } from '../../src/admin/metrics.ts';
import { LocalIdentities } from '../../src/capture/local-identities.ts';
import { readConfig } from '../../src/config.ts';
import { DataPlane } from '../../src/data-plane.ts';
import { LocalConfiguration } from '../../src/local/local-configuration.ts';
import { CapturedPods, podIps } from '../captured-pods.ts';
import { untilEnd } from '../path/applications.ts';

const mesh = (action: string): string => `
workloads:
- { name: client, namespace: bank, serviceAccount: client-sa, workloadIps: [${podIps.client}], protocol: HBONE, node: node-a }
- { name: server, namespace: bank, serviceAccount: server-sa, workloadIps: [${podIps.server}], protocol: HBONE, node: node-a }
policies:
- name: callers
  namespace: bank
  scope: Namespace
  action: ${action}
  rules: [[[{ principals: [!Exact cluster.local/ns/bank/sa/client-sa] }]]]
`;

describe('two captured pods without a control plane', () => {
  let pods: CapturedPods;
  let plane: DataPlane;
  let certificates: CertificateStore;
  let metrics: Metrics;

  const start = async (action: string): Promise<void> => {
    const store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: silentLogger });
    const authority = await openSelfMadeAuthority({ trustDomain: 'cluster.local' }, { clock: systemClock, random: systemRandom });
    certificates = new CertificateStore({}, { authority, clock: systemClock, random: systemRandom, logger: silentLogger });
    plane = new DataPlane(readConfig({ NODE_NAME: 'node-a' }), {
      store,
      certificates,
      identities: new LocalIdentities(
        { node: 'node-a' },
        { want: (id) => certificates.prefetch(id), forget: (id) => certificates.forget(id) },
      ),
      engine: new FramedEngine({ clock: systemClock }),
      metrics,
      log: { scope: () => silentLogger },
      clock: systemClock,
      nameservers: [],
      random: systemRandom,
      onPods: () => {},
    });
    await LocalConfiguration.open(
      { source: { kind: 'text', text: mesh(action) }, clusterId: 'Kubernetes' },
      { apply: (push) => store.apply(push), clock: systemClock, logger: silentLogger },
    );
    for (const role of ['client', 'server'] as const) {
      const info = { name: role, namespace: 'bank', serviceAccount: `${role}-sa` };
      expect(plane.pods.add({ uid: role, info, namespace: pods.handle(role) })).to.equal(undefined);
    }
  };

  beforeEach(() => {
    pods = new CapturedPods();
    metrics = new Metrics({ version: 'test' }, { clock: systemClock });
  });

  afterEach(async () => {
    plane[Symbol.dispose]();
    certificates[Symbol.dispose]();
    await pods[Symbol.asyncDispose]();
  });

  it('are joined by a tunnel where a policy of the file allows it', async () => {
    await start('Allow');
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.end('question');
    expect((await untilEnd(socket)).data.toString()).to.equal('question');
    expect(await metrics.registry.metrics()).to.match(/connections_opened_total\{reporter="source".*mutual_tls.* 1$/m);
  });

  it('are kept apart where a policy of the file denies it', async () => {
    await start('Deny');
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.end('question');
    expect((await untilEnd(socket)).data.toString()).to.equal('');
  });
});
