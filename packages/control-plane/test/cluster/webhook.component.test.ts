/** What the API server asks the control plane before it stores an object, and what becomes of it. */
import { connect } from 'node:tls';
import { once } from 'node:events';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { startFromChart, system } from './chart-control-plane.ts';
import { chartObjects, textOf } from './charts.ts';
import type { ControlPlane } from '../../src/control-plane.ts';
import type { ChartObject } from './charts.ts';

const targetRefs = [{ group: '', kind: 'Service', name: 'ledger' }];

type Validator = ChartObject & { readonly webhooks: readonly { readonly clientConfig: object }[] };

describe('the webhook around a real API server', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let plane: ControlPlane;

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    server = await ApiServer.start();
    await installDefinitions(server);
    await server.applyFile(new URL('../../../../charts/base/files/crds', import.meta.url).pathname);
    await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    for (const name of [system, 'ledger']) await server.kubectl(['create', 'namespace', name]);
    plane = await startFromChart(server, [], []);
    await server.apply(textOf([await validator()]));
    await eventually((text) => text.split(' ').filter((authority) => authority !== '').length === 2, ...authorities);
  });

  after(async () => {
    await plane?.[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** That of the chart; without nodes there is no way through a Service. */
  async function validator(): Promise<Validator> {
    const found = (await chartObjects('base', system)).find(({ kind }) => kind === 'ValidatingWebhookConfiguration') as Validator;
    const url = `https://${formatSocketAddress(plane.webhookAddress!)}/validate`;
    return { ...found, webhooks: found.webhooks.map((webhook) => ({ ...webhook, clientConfig: { url } })) };
  }

  async function eventually(fits: (text: string) => boolean, ...args: readonly string[]): Promise<string> {
    const ask = (): Promise<string> => server.kubectl(args).catch(String);
    const text = await askUntil(fits, ask, { limitMs: 20_000, pauseMs: 100 });
    if (fits(text)) return text;
    throw new Error(`not in time: kubectl ${args.join(' ')}; last: ${text}`);
  }

  const authorities = [
    'get',
    'validatingwebhookconfiguration',
    'clearmesh-validator',
    '-o',
    'jsonpath={.webhooks[*].clientConfig.caBundle}',
  ];
  const resilience = (name: string, spec: object): string =>
    textOf([{ apiVersion: 'clearmesh.io/v1alpha1', kind: 'ResiliencePolicy', metadata: { name, namespace: 'ledger' }, spec }]);

  it('refuses what no definition can say, with the remedy', async () => {
    const told = await server
      .apply(resilience('wrong', { targetRefs: [{ ...targetRefs[0], namespace: 'cards' }] }))
      .catch(String);
    expect(told).to.contain('admission webhook "policies.clearmesh.io" denied the request: spec.targetRefs[0].namespace must be');
    expect(await server.kubectl(['get', 'resiliencepolicies', '-n', 'ledger', '-o', 'name'])).to.equal('');
  });

  it('stores what is right', async () => {
    // The server learns of the authority a moment after it was written.
    await server.apply(resilience('right', { targetRefs }));
    expect(await server.kubectl(['get', 'resiliencepolicies', '-n', 'ledger', '-o', 'name'])).to.contain('/right');
  });

  it('refuses policies of Istio’s kinds that would do nothing', async () => {
    const spec = { action: 'AUDIT', rules: [{}] };
    const metadata = { name: 'audit', namespace: 'ledger' };
    const policy = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec };
    expect(await server.apply(textOf([policy])).catch(String)).to.contain('AUDIT is not enforced by any proxy of the mesh');
  });

  it('leaves Gateways of other controllers alone, and refuses waypoints that nobody could serve', async () => {
    const gateway = (name: string, gatewayClassName: string, annotations: object): object => ({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name, namespace: 'ledger', annotations },
      spec: { gatewayClassName, listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }] },
    });
    const annotations = { 'clearmesh.io/replicas': '99' };
    await server.apply(textOf([gateway('theirs', 'istio', annotations)]));
    const told = await server.apply(textOf([gateway('ours', 'clearmesh-waypoint', annotations)])).catch(String);
    expect(told).to.contain('webhook "gateways.clearmesh.io" denied the request: metadata.annotations["clearmesh.io/replicas"]');
  });

  it('has its authority put back when somebody changes it', async () => {
    const before = await server.kubectl(authorities);
    await server.apply(textOf([await validator()]));
    const [first = ''] = before.split(' ');
    const other = Buffer.from((await TestAuthority.create()).rootPem).toString('base64');
    const patch = [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: other }];
    await server.kubectl(['patch', ...authorities.slice(1, 3), '--type=json', '-p', JSON.stringify(patch)]);
    await eventually((text) => text === `${first} ${first}`, ...authorities);
  });

  it('has a certificate for the name that the API server dials in a cluster', async () => {
    const [authority = ''] = (await server.kubectl(authorities)).split(' ');
    const { ip, port } = plane.webhookAddress!;
    const servername = `clearmesh-control-plane.${system}.svc`;
    const socket = connect({ host: ip, port, servername, ca: Buffer.from(authority, 'base64') });
    await once(socket, 'secureConnect');
    expect(socket.authorized).to.equal(true);
    socket.destroy();
  });
});
