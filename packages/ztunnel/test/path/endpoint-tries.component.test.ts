import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { EndpointChoice } from '@clearmesh/shared/model/service';
import { authorization, service, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { Application, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp, serverSpec } from './mesh-bed.ts';

const vip = '127.0.78.1';
const hostname = 'ledger.bank.svc.cluster.local';
const key = `bank/${hostname}`;
/** Nobody listens. */
const closed = 1;

describe('a service whose endpoint refuses connections', () => {
  let bed: MeshBed;
  let application: Application;
  beforeEach(async () => {
    bed = await MeshBed.create();
    application = await Application.echo(serverIp);
  });
  afterEach(async () => {
    await application[Symbol.asyncDispose]();
    await bed[Symbol.asyncDispose]();
  });

  const refusing: Readonly<Record<string, WorkloadSpec>> = {
    'an application in plain TCP': {
      name: 'gone',
      addresses: ['127.0.79.9'],
      tunnelProtocol: 'NONE',
      services: { [key]: { 80: closed } },
    },
    'a proxy': { name: 'gone', addresses: ['127.0.79.9'], serviceAccount: 'server-sa', services: { [key]: { 80: closed } } },
  };

  function publish(gone: WorkloadSpec, endpointChoice?: EndpointChoice): void {
    const ledger = service({
      name: 'ledger',
      addresses: [vip],
      ports: { 80: 0 },
      ...(endpointChoice === undefined ? {} : { endpointChoice }),
    });
    const server = workload({ ...serverSpec, services: { [key]: { 80: application.port } } });
    // A draw of one in a thousand million: the first try goes to the one that is gone.
    bed.push({ services: [ledger], workloads: [server, workload({ ...gone, capacity: 1_000_000_000 })] });
  }

  async function ask(): Promise<string> {
    const client = await bed.call(80, { ip: vip });
    client.end('hi');
    return (await untilEnd(client)).data.toString();
  }

  for (const [what, gone] of Object.entries(refusing)) {
    it(`is asked at another endpoint when ${what} refuses and it wants two tries, with one report of one connection`, async () => {
      publish(gone, { leastRequest: false, connectAttempts: 2 });
      expect(await ask()).to.equal('hi');
      expect(await bed.complete('outbound')).to.include({ 'dst.workload': 'server', 'dst.service': hostname });
      expect(await bed.line(({ message }) => message === 'endpoint not reached, another one of its service is tried')).to.include(
        {
          'dst.workload': 'gone',
        },
      );
      expect(
        bed.log.filter(({ message, direction }) => message === 'connection complete' && direction === 'outbound'),
      ).to.have.length(1);
      expect(await bed.metrics.registry.metrics()).to.match(/^clearmesh_endpoint_retries_total 1$/m);
    });

    it(`fails when ${what} refuses and it wants nothing`, async () => {
      publish(gone);
      expect(await ask()).to.equal('');
      expect(await bed.complete('outbound')).to.include({ 'dst.workload': 'gone' });
      expect(await bed.metrics.registry.metrics()).to.match(/^clearmesh_endpoint_retries_total 0$/m);
    });
  }

  it('is asked at another endpoint when an application behind a tunnel refuses, and its proxy says so', async () => {
    await using other = await Application.echo('127.0.79.2');
    const ledger = service({
      name: 'ledger',
      addresses: [vip],
      ports: { 80: 0 },
      endpointChoice: { leastRequest: false, connectAttempts: 2 },
    });
    const legacy = { name: 'legacy', addresses: ['127.0.79.2'], tunnelProtocol: 'NONE' } as const;
    bed.push({
      services: [ledger],
      workloads: [
        workload({ ...serverSpec, services: { [key]: { 80: closed } }, capacity: 1_000_000_000 }),
        workload({ ...legacy, services: { [key]: { 80: other.port } } }),
      ],
    });
    expect(await ask()).to.equal('hi');
    expect(await bed.complete('outbound')).to.include({ 'dst.workload': 'legacy' });
  });

  it('E2 is not asked at another endpoint when a policy denies', async () => {
    await using other = await Application.echo('127.0.79.2');
    const ledger = service({
      name: 'ledger',
      addresses: [vip],
      ports: { 80: 0 },
      endpointChoice: { leastRequest: false, connectAttempts: 3 },
    });
    bed.push({
      services: [ledger],
      policies: [authorization({ namespace: 'bank' })],
      workloads: [
        workload({ ...serverSpec, services: { [key]: { 80: application.port } }, capacity: 1_000_000_000 }),
        workload({ name: 'legacy', addresses: ['127.0.79.2'], tunnelProtocol: 'NONE', services: { [key]: { 80: other.port } } }),
      ],
    });
    expect(await ask()).to.equal('');
    expect(await bed.complete('outbound')).to.include({ 'dst.workload': 'server' });
    expect(other.connections).to.deep.equal([]);
  });

  it('fails with the last endpoint’s refusal when none takes the connection, and holds nothing of it', async () => {
    await application[Symbol.asyncDispose]();
    publish(refusing['a proxy'] ?? {}, { leastRequest: true, connectAttempts: 5 });
    expect(await ask()).to.equal('');
    const { 'dst.workload': last } = await bed.complete('outbound');
    expect(last).to.equal('server');
    expect(bed.openEndpoints.client.size).to.equal(0);
  });
});

describe('a service that asks for the less loaded of two endpoints', () => {
  it('spreads connections that stay open evenly, whatever the draws are', async () => {
    await using bed = await MeshBed.create();
    await using one = await Application.echo('127.0.79.2');
    await using two = await Application.echo('127.0.79.3');
    const ledger = service({
      name: 'ledger',
      addresses: [vip],
      ports: { 80: 0 },
      endpointChoice: { leastRequest: true, connectAttempts: 1 },
    });
    const plain = (name: string, address: string, port: number) =>
      workload({ name, addresses: [address], tunnelProtocol: 'NONE', services: { [key]: { 80: port } } });
    bed.push({ services: [ledger], workloads: [plain('one', '127.0.79.2', one.port), plain('two', '127.0.79.3', two.port)] });
    for (let calls = 0; calls < 10; calls++) {
      const client = await bed.call(80, { ip: vip });
      client.write('hi');
      expect(await read(client, 2)).to.equal('hi');
    }
    expect([one.connections.length, two.connections.length]).to.deep.equal([5, 5]);
  });
});
