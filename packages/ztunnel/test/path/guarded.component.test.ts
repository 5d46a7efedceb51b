/** A pod whose workload arrived before the policies it lists: between the two nobody reaches the application. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { authorization, match, workload } from '@clearmesh/shared/testing/builders';
import { Application, untilEnd } from './applications.ts';
import { MeshBed, serverIp, serverSpec } from './mesh-bed.ts';

const strict = authorization({
  name: 'strict',
  scope: 'WORKLOAD_SELECTOR',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ notPrincipals: [{ kind: 'presence' }] })] }] }],
});

describe('a connection to a workload whose policies have not arrived', () => {
  let bed: MeshBed;
  let app: Application;
  beforeEach(async () => {
    bed = await MeshBed.create();
    app = await Application.echo(serverIp);
    bed.push({ workloads: [workload({ ...serverSpec, authorizationPolicies: ['bank/strict'] })] });
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  async function held(): Promise<void> {
    while (bed.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(app.connections).to.have.length(0);
  }

  it('waits for them, and is decided by them: plaintext under STRICT', async () => {
    const client = await bed.callPlain(app.port);
    client.write('too early');
    await held();
    bed.push({ policies: [strict] });
    expect((await untilEnd(client)).data.length).to.equal(0);
    expect(app.connections).to.have.length(0);
    expect(await bed.complete('inbound')).to.include({ policy: 'bank/strict', rule: 0 });
  });

  it('waits for them, and is decided by them: a tunnel under STRICT', async () => {
    const client = await bed.call(app.port);
    client.end('through');
    await held();
    bed.push({ policies: [strict] });
    expect((await untilEnd(client)).data.toString()).to.equal('through');
  });

  for (const way of ['plain text', 'a tunnel'] as const) {
    it(`is refused after 5 s, by ${way}`, async () => {
      const client = await (way === 'a tunnel' ? bed.call(app.port) : bed.callPlain(app.port));
      client.write('unguarded');
      await held();
      bed.clock.advance(5_000);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(app.connections).to.have.length(0);
      expect((await bed.complete('inbound'))['error']).to.match(/have not arrived: bank\/strict$/);
    });
  }
});
