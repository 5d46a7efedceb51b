import { expect } from 'chai';
import { describe, it } from 'mocha';
import { authorization, match } from '@clearmesh/shared/testing/builders';
import { Application, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

const denyAll = authorization({
  name: 'deny-all',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ destinationPorts: [], notDestinationPorts: [1] })] }] }],
});

describe('an access log of a share of nothing', () => {
  it('leaves out what ended well, and names policy, rule and both ends of a denial', async () => {
    await using bed = await MeshBed.create({ accessLog: { shares: { ok: 0 } } });
    await using app = await Application.echo(serverIp);
    const client = await bed.call(app.port);
    client.end('question');
    await untilEnd(client);
    bed.push({ policies: [denyAll] });
    await untilEnd(await bed.call(app.port));
    expect(await bed.complete('inbound')).to.include({ policy: 'bank/deny-all', rule: 0, 'src.workload': 'client' });
    await bed.complete('outbound');
    expect(bed.log).to.have.length(2);
    const metrics = await bed.metrics.registry.metrics();
    expect(metrics).to.match(/clearmesh_access_log_lines_total\{result="sampled-out"\} 2/);
    expect(metrics).to.match(/clearmesh_access_log_lines_total\{result="written"\} 2/);
  });
});

describe('an access log of one namespace', () => {
  it('has early failures of its pods too', async () => {
    await using bed = await MeshBed.create({ accessLog: { filter: { namespaces: ['bank'] } } });
    await untilEnd(await bed.callPlain(15_001));
    expect((await bed.failed('inbound'))['error']).to.match(/never a target/);
  });

  it('has none of another’s', async () => {
    await using bed = await MeshBed.create({ accessLog: { filter: { namespaces: ['cards'] } } });
    await untilEnd(await bed.callPlain(15_001));
    expect(bed.log).to.deep.equal([]);
  });
});
