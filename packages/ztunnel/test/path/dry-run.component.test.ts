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

describe('a DENY policy in dry run', () => {
  it('lets the connection pass, and counts what it would have done', async () => {
    await using bed = await MeshBed.create();
    await using app = await Application.echo(serverIp);
    bed.push({ policies: [{ ...denyAll, dryRun: true }] });
    const client = await bed.call(app.port);
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    expect(await bed.metrics.registry.metrics()).to.match(
      /clearmesh_dry_run_decisions_total\{outcome="would-deny",policy="bank\/deny-all"\} 1/,
    );
  });
});
