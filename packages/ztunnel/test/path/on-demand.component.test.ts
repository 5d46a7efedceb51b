import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { OnDemandBed } from '../discover/on-demand-bed.ts';
import { Application, bounded, untilEnd } from './applications.ts';
import { clientSpec, MeshBed, serverIp, serverSpec } from './mesh-bed.ts';

const vip = '127.0.78.1';
const clientPod = { namespace: 'bank', name: 'client', serviceAccount: 'client-sa' };
const serverPod = { namespace: 'bank', name: 'server', serviceAccount: 'server-sa' };

describe('connections of pods whose mesh is asked for on demand', () => {
  let bed: MeshBed;
  let application: Application;
  const demands: OnDemandBed[] = [];

  beforeEach(async () => {
    demands.length = 0;
    bed = await MeshBed.create({
      discover: (_side, store) => {
        const demand = new OnDemandBed({}, {}, store);
        demands.push(demand);
        return demand.mesh;
      },
    });
    bed.push({ removed: ['Kubernetes//Pod/bank/client', 'Kubernetes//Pod/bank/server'] });
    application = await Application.echo(serverIp);
    const ledger = service({ name: 'ledger', addresses: [vip], ports: { 80: application.port } });
    const workloads = [workload(clientSpec), workload({ ...serverSpec, services: { [ledger.key]: {} } })];
    for (const demand of demands) demand.publish({ services: [ledger], workloads });
    demands[0]?.mesh.hold(clientPod);
    demands[1]?.mesh.hold(serverPod);
  });
  afterEach(async () => {
    await application[Symbol.asyncDispose]();
    await bed[Symbol.asyncDispose]();
  });

  /** Carries discovery on until something ended. */
  async function meanwhile<T>(ends: Promise<T>): Promise<T> {
    const over = new AbortController();
    const ended = ends.finally(() => over.abort());
    while (!over.signal.aborted) for (const demand of demands) await demand.deliver();
    return bounded(ended, 'the end');
  }

  it('go through a tunnel to the first endpoint asked for, and counts are kept at both ends', async () => {
    const client = await bed.call(80, { ip: vip });
    client.end('hi');
    expect((await meanwhile(untilEnd(client))).data.toString()).to.equal('hi');
    expect(await bed.complete('outbound')).to.include({
      'dst.service': 'ledger.bank.svc.cluster.local',
      'dst.workload': 'server',
    });
    expect((await bed.complete('inbound'))['src.identity']).to.equal('spiffe://cluster.local/ns/bank/sa/client-sa');
    expect(demands[0]?.outcomes).to.deep.equal(['answered']);
  });

  it('pass an address through that nobody in the mesh has, after it was asked for', async () => {
    await using outside = await Application.echo('127.0.79.2');
    const client = await bed.call(outside.port, { ip: '127.0.79.2' });
    client.end('hi');
    expect((await meanwhile(untilEnd(client))).data.toString()).to.equal('hi');
    expect(demands[0]?.asked).to.include('/127.0.79.2');
  });

  it('are closed and never passed through when the control plane says nothing', async () => {
    for (const demand of demands) await demand.deliver();
    demands[0]?.disconnect();
    await using outside = await Application.echo('127.0.79.2');
    const client = await bed.call(outside.port, { ip: '127.0.79.2' });
    const ended = untilEnd(client);
    while (demands[0]?.mesh.waiting === 0) await demands[0].deliver();
    demands[0]?.clock.advance(5_000);
    await ended;
    expect((await bed.failed('outbound'))['error']).to.match(/has not said what is at 127\.0\.79\.2:\d+; see whether/);
    expect(await bed.metrics.registry.metrics()).to.match(/denials_total\{direction="outbound",reason="not-discovered"[^}]*\} 1/);
    expect(outside.connections).to.deep.equal([]);
  });

  it('to a workload known by name only are counted by that name', async () => {
    await using outside = await Application.echo('127.0.79.3');
    bed.names.set('partner.example', [ip('127.0.79.3')]);
    const partner = service({
      name: 'partner',
      hostname: 'partner.example',
      addresses: ['127.0.78.2'],
      ports: { 80: outside.port },
    });
    const named = { name: 'partner', hostname: 'partner.example', addresses: [], tunnelProtocol: 'NONE' } as const;
    const workloads = [workload(clientSpec), workload({ ...named, services: { [partner.key]: { 80: outside.port } } })];
    demands[0]?.publish({ services: [partner], workloads });
    const client = await bed.call(80, { ip: '127.0.78.2' });
    client.end('hi');
    expect((await meanwhile(untilEnd(client))).data.toString()).to.equal('hi');
    const counted = (await bed.metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('istio_on_demand_dns_total'));
    expect(counted).to.have.length(1);
    expect(counted[0]).to.match(/source_workload="client".*hostname="partner\.example"\} 1$/);
  });
});
