import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { workload } from '@clearmesh/shared/testing/builders';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeWorkload } from '@clearmesh/shared/wire/wds';
import { Metrics } from '../src/admin/metrics.ts';
import { LocalIdentities } from '../src/capture/local-identities.ts';
import { readConfig } from '../src/config.ts';
import { DataPlane } from '../src/data-plane.ts';
import { CapturedPods, podIps } from './captured-pods.ts';
import type { PodRole } from './captured-pods.ts';
import { read, untilEnd } from './path/applications.ts';

const roles = ['client', 'server'] as const;

describe('captured pods with PROPAGATE_RESETS', () => {
  let pods: CapturedPods;
  let plane: DataPlane;

  before(async () => {
    const store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: silentLogger });
    const upserts = roles.map((name) => {
      const each = workload({ name, serviceAccount: `${name}-sa`, addresses: [podIps[name]] });
      return { name: each.uid, version: '1', value: encodeWorkload(each) };
    });
    store.apply({ typeUrl: ADDRESS_TYPE_URL, removed: [], upserts });
    pods = new CapturedPods();
    plane = new DataPlane(readConfig({ NODE_NAME: 'node-a', PROPAGATE_RESETS: 'true' }), {
      store,
      certificates: await TestCertificates.create(),
      identities: new LocalIdentities({ node: 'node-a' }, { want: () => {}, forget: () => {} }),
      engine: new FramedEngine({ clock: systemClock }),
      metrics: new Metrics({ version: 'test' }, { clock: systemClock }),
      log: { scope: () => silentLogger },
      clock: systemClock,
      nameservers: [],
      random: systemRandom,
      onPods: () => {},
    });
    for (const name of roles) {
      const info = { name, namespace: 'bank', serviceAccount: `${name}-sa` };
      expect(plane.pods.add({ uid: name, info, namespace: pods.handle(name) })).to.equal(undefined);
    }
  });

  after(async () => {
    plane[Symbol.dispose]();
    await pods[Symbol.asyncDispose]();
  });

  const freePort = 9;
  const ways: Readonly<Record<string, { readonly from: PodRole; readonly to: PodRole }>> = {
    'through the tunnel': { from: 'client', to: 'server' },
    'out in plain text': { from: 'client', to: 'outside' },
    'in in plain text': { from: 'outside', to: 'server' },
  };
  for (const [way, { from, to }] of Object.entries(ways)) {
    it(`see ECONNRESET where nobody listens, ${way}`, async () => {
      const socket = await pods.connect(from, { ip: podIps[to], port: freePort });
      expect((await untilEnd(socket)).end).to.equal('reset');
    });

    it(`see ECONNRESET when the application resets, ${way}`, async () => {
      const port = await pods.serve(to, (socket) => socket.once('data', () => socket.resetAndDestroy()));
      const socket = await pods.connect(from, { ip: podIps[to], port });
      socket.write('x');
      expect((await untilEnd(socket)).end).to.equal('reset');
    });

    it(`reset the application when the client does, ${way}`, async () => {
      const seen = Promise.withResolvers<string>();
      const port = await pods.serve(to, (socket) => {
        socket.write('x');
        void untilEnd(socket).then(({ end }) => seen.resolve(end));
      });
      const socket = await pods.connect(from, { ip: podIps[to], port });
      await read(socket, 1);
      socket.resetAndDestroy();
      expect(await seen.promise).to.equal('reset');
    });

    it(`end in order what ends in order, ${way}`, async () => {
      const port = await pods.serve(to, (socket) => socket.pipe(socket));
      const socket = await pods.connect(from, { ip: podIps[to], port });
      socket.end('question');
      expect(await untilEnd(socket)).to.deep.equal({ data: Buffer.from('question'), end: 'fin' });
    });
  }
});
