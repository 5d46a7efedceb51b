import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { Application, untilEnd } from './applications.ts';
import { MeshBed, serverIp, serverSpec } from './mesh-bed.ts';

const vip = '127.0.78.1';

describe('a service of several endpoints', () => {
  let bed: MeshBed;
  beforeEach(async () => {
    bed = await MeshBed.create();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  it('is served by each of them, in a tunnel or in plain TCP as each has it, and is counted by its name at every end', async () => {
    await using inMesh = await Application.echo(serverIp);
    await using outside = await Application.echo('127.0.79.2');
    const ledger = service({ name: 'ledger', addresses: [vip], ports: { 80: 0 } });
    const legacy = { name: 'legacy', addresses: ['127.0.79.2'], tunnelProtocol: 'NONE' } as const;
    bed.push({
      services: [ledger],
      workloads: [
        workload({ ...serverSpec, services: { [ledger.key]: { 80: inMesh.port } } }),
        workload({ ...legacy, services: { [ledger.key]: { 80: outside.port } } }),
      ],
    });
    // The draw is even: that one of them gets nothing in so many calls does not happen.
    for (let calls = 0; calls < 64; calls++) {
      const client = await bed.call(80, { ip: vip });
      client.end('hi');
      expect((await untilEnd(client)).data.toString()).to.equal('hi');
      if (inMesh.connections.length > 0 && outside.connections.length > 0) break;
    }
    expect(await openedTo(bed, ledger.hostname)).to.deep.equal({
      'source legacy unknown': outside.connections.length,
      'source server mutual_tls': inMesh.connections.length,
      'destination server mutual_tls': inMesh.connections.length,
    });
  });
});

/** Connections opened to a service: reporter, workload and security, with their number. */
async function openedTo(bed: MeshBed, hostname: string): Promise<Readonly<Record<string, number>>> {
  const lines = (await bed.metrics.registry.metrics()).split('\n');
  const opened = lines.filter((line) => line.startsWith('istio_tcp_connections_opened_total{'));
  const label = (line: string, name: string): string => new RegExp(`[{,]${name}="([^"]*)"`).exec(line)?.[1] ?? '';
  const names = ['reporter', 'destination_workload', 'connection_security_policy'];
  return Object.fromEntries(
    opened
      .filter((line) => label(line, 'destination_service') === hostname)
      .map((line) => [names.map((name) => label(line, name)).join(' '), Number(line.split(' ').at(-1))]),
  );
}
