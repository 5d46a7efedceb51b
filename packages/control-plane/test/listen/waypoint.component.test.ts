/** A control plane and its waypoints over TLS: who is told what, and what is reported back. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { create } from '@bufbuild/protobuf';
import { X509Certificate } from 'node:crypto';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { decodeAddress } from '@clearmesh/shared/wire/wds';
import { decodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { DeltaDiscoveryResponse, Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { gatewayText, namespaceText, objectText, serviceTarget, serviceText } from '../fixtures/manifest-text.ts';
import { node as ztunnelNode, RunningControlPlane } from '../fixtures/running-control-plane.ts';
import { signingRequest } from '../fixtures/signing-requests.ts';
import type { DiscoveryPeer } from '../fixtures/running-control-plane.ts';
import type { TokenSpec } from '../fixtures/token-issuer.ts';
import type { StatusReport } from '../../src/report/status-report.ts';

const bound = { 'istio.io/use-waypoint': 'gate' };
const bank = `${namespaceText('ledger')}${gatewayText('gate')}${gatewayText('other')}${serviceText('ledger', { labels: bound })}`;
const limit = (requests: number): string =>
  objectText('RateLimitPolicy', 'p', {
    targetRefs: [serviceTarget('ledger')],
    limits: [{ name: 'all', requests, window: '1s' }],
  });
const status = 'pods: { ledger/gate-0: { podIPs: [10.244.7.1], nodeName: node-a, ready: true, uid: u1 } }\n';

const token = (serviceAccount: string): TokenSpec => ({
  namespace: 'ledger',
  serviceAccount,
  pod: { name: `${serviceAccount}-0`, uid: 'u1' },
});
const node = (name: string): Node =>
  create(NodeSchema, { id: `waypoint~10.244.7.1~${name}-0.ledger~ledger.svc.cluster.local`, metadata: { NAMESPACE: 'ledger' } });

/** A waypoint that asked for its configuration, in whichever way. */
async function waypoint(
  running: RunningControlPlane,
  account: string,
  names: readonly string[] = [],
): Promise<{ peer: DiscoveryPeer; first: DeltaDiscoveryResponse }> {
  const peer = await running.discover(token(account));
  peer.send({ node: node(account), typeUrl: WAYPOINT_CONFIGURATION_TYPE_URL, resourceNamesSubscribe: [...names] });
  return { peer, first: (await peer.next())! };
}

function configurationOf(response: DeltaDiscoveryResponse | undefined): WaypointConfiguration {
  const decoded = decodeWaypointConfiguration(response?.resources[0]?.resource?.value ?? new Uint8Array());
  if (decoded.kind === 'rejected') throw new Error(decoded.reason);
  return decoded.configuration;
}

function programmed({ objects }: StatusReport): string | undefined {
  return objects['Gateway ledger/gate']?.conditions?.find(({ type }) => type === 'Programmed')?.message;
}

describe('a waypoint and its control plane', () => {
  it('is told its own configuration, and each change of it', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': `${bank}${limit(1)}` });
    const { peer, first } = await waypoint(running, 'gate');
    expect(first.resources.map(({ name }) => name)).to.deep.equal(['ledger/gate']);
    expect(first.resources[0]?.version).to.match(/^[0-9a-f]{24}$/);
    expect(configurationOf(first).policies.rateLimits['RateLimitPolicy ledger/p']?.limits[0]?.requests).to.equal(1);
    peer.acknowledge(first);
    await running.replace('manifests/bank.yaml', `${bank}${limit(2)}`);
    const second = await peer.next();
    expect(configurationOf(second).policies.rateLimits['RateLimitPolicy ledger/p']?.limits[0]?.requests).to.equal(2);
    peer.acknowledge(second!);
    await running.replace('manifests/bank.yaml', `${namespaceText('ledger')}${gatewayText('other')}`);
    expect((await peer.next())?.removedResources).to.deep.equal(['ledger/gate']);
  });

  it('is told of nothing else, whatever it asks for', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    const { peer, first } = await waypoint(running, 'gate', ['ledger/other', 'ledger/gate']);
    expect(first.resources.map(({ name }) => name)).to.deep.equal(['ledger/gate']);
    expect(first.removedResources).to.deep.equal(['ledger/other']);
    peer.acknowledge(first);
    const stranger = await waypoint(running, 'teller', ['ledger/gate']);
    expect(stranger.first.resources).to.deep.equal([]);
    peer.reset();
  });

  it('is not disturbed by changes that concern another', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    const { peer, first } = await waypoint(running, 'other');
    peer.acknowledge(first);
    const gate = await waypoint(running, 'gate');
    gate.peer.acknowledge(gate.first);
    await running.replace('manifests/bank.yaml', `${bank}${limit(1)}`);
    expect(Object.keys(configurationOf(await gate.peer.next()).policies.rateLimits)).to.have.length(1);
    await running.replace(
      'manifests/bank.yaml',
      `${bank}${serviceText('more', { labels: { 'istio.io/use-waypoint': 'other' } })}`,
    );
    expect(configurationOf(await peer.next()).services.map(({ key }) => key)).to.deep.equal([
      'ledger/more.ledger.svc.cluster.local',
    ]);
  });

  it('has workloads, services and layer-4 policies as any proxy', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank, 'status.yaml': status });
    const peer = await running.discover(token('gate'));
    peer.send({ node: node('gate'), typeUrl: ADDRESS_TYPE_URL });
    const addresses = await peer.next();
    expect(addresses?.resources.map(({ name }) => name)).to.include.members([
      'Kubernetes//Pod/ledger/gate-0',
      'ledger/gate.ledger.svc.cluster.local',
      'ledger/ledger.ledger.svc.cluster.local',
    ]);
    peer.send({ typeUrl: AUTHORIZATION_TYPE_URL });
    expect((await peer.next())?.typeUrl).to.equal(AUTHORIZATION_TYPE_URL);
  });

  it('is the only one that is told: node proxies get none', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    const peer = await running.discover();
    peer.send({ node: ztunnelNode, typeUrl: WAYPOINT_CONFIGURATION_TYPE_URL, resourceNamesSubscribe: ['ledger/gate'] });
    peer.send({ typeUrl: ADDRESS_TYPE_URL });
    // The first answer is the one to the second request: the type is not served to this kind of proxy.
    expect((await peer.next())?.typeUrl).to.equal(ADDRESS_TYPE_URL);
  });

  it('is what the services behind it require, before and after a pod of it is ready', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    const peer = await running.discover();
    peer.send({ node: ztunnelNode, typeUrl: ADDRESS_TYPE_URL });
    const first = (await peer.next())!;
    const ledger = first.resources.find(({ name }) => name.includes('/ledger.'))?.resource?.value;
    const decoded = decodeAddress(ledger ?? new Uint8Array());
    expect(decoded.kind === 'service' ? decoded.service.waypoint : undefined).to.deep.equal({
      kind: 'hostname',
      namespace: 'ledger',
      hostname: 'gate.ledger.svc.cluster.local',
      hboneMtlsPort: 15_008,
    });
    peer.acknowledge(first);
    await running.replace('status.yaml', status);
    const second = (await peer.next())!;
    expect(second.resources.map(({ name }) => name)).to.deep.equal(['Kubernetes//Pod/ledger/gate-0']);
  });

  it('has its refusal reported on its Gateway, until it accepts or is gone', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank, 'status.yaml': status });
    const good = 'the waypoint is served at gate.ledger.svc.cluster.local:15008';
    await running.reportThat((report) => programmed(report) === good);
    const { peer, first } = await waypoint(running, 'gate');
    peer.acknowledge(first, 'ledger/gate: json/services/0: no');
    await running.reportThat((report) =>
      /pod gate-0 refuses its configuration.*json\/services\/0: no/.test(programmed(report) ?? ''),
    );
    await running.replace('manifests/bank.yaml', `${bank}${limit(1)}`);
    peer.acknowledge((await peer.next())!);
    await running.reportThat((report) => programmed(report) === good);
    await running.replace('manifests/bank.yaml', `${bank}${limit(2)}`);
    peer.acknowledge((await peer.next())!, 'again');
    await running.reportThat((report) => /again/.test(programmed(report) ?? ''));
    peer.reset();
    await running.reportThat((report) => programmed(report) === good);
    expect(await running.metrics()).to.contain(
      'clearmesh_discovery_nacks_total{type="type.googleapis.com/clearmesh.waypoint.v1.Configuration"} 2',
    );
  });

  it('gets a certificate of its own identity', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    const [leaf = ''] = await running.certify({ csr: await signingRequest() }, token('gate'));
    expect(new X509Certificate(leaf).subjectAltName).to.equal('URI:spiffe://cluster.local/ns/ledger/sa/gate');
    const refused = await running
      .certify(
        { csr: await signingRequest(), metadata: { ImpersonatedIdentity: 'spiffe://cluster.local/ns/ledger/sa/other' } },
        token('gate'),
      )
      .catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(Error);
  });
});

describe('the status of manifests', () => {
  it('tells why they are refused while the last good ones keep serving', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': bank });
    expect((await running.reportThat(({ serving }) => serving === 'current')).rejections).to.deep.equal([]);
    await running.replace('manifests/bank.yaml', `${bank}${limit(1).replace('"1s"', '"soon"')}`);
    const report = await running.reportThat(({ serving }) => serving === 'last-good');
    expect(report.objects).to.have.property('Gateway ledger/gate');
    expect(report.rejections).to.have.length(1);
    expect(report.rejections[0]).to.deep.include({
      code: 'MESH-CONFIG-001',
      object: 'RateLimitPolicy ledger/p',
      field: 'spec.limits[0].window',
      value: '"soon"',
    });
    expect(report.rejections[0]?.remedy).to.match(/10s/);
    await running.replace('manifests/bank.yaml', `${bank}${limit(1)}`);
    await running.reportThat(({ serving, rejections }) => serving === 'current' && rejections.length === 0);
  });

  it('has where an OpaPolicy’s bundle is by its whole path', async () => {
    const policy = objectText('OpaPolicy', 'p', {
      targetRefs: [serviceTarget('ledger')],
      engine: { wasm: { bundle: 'opa/bundle.tar.gz' } },
    });
    await using running = await RunningControlPlane.start({ 'manifests/bank.yaml': `${bank}${policy}` });
    const { first } = await waypoint(running, 'gate');
    const engine = configurationOf(first).policies.opa['OpaPolicy ledger/p']?.engine;
    expect(engine?.kind === 'wasm' ? engine.bundle : '').to.match(/^\/.*\/manifests\/opa\/bundle\.tar\.gz$/);
  });
});
