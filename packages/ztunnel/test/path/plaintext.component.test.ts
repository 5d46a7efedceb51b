import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { authorization, match } from '@clearmesh/shared/testing/builders';
import { Application, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

/** As PeerAuthentication STRICT arrives: a DENY of whoever has no identity. */
const strict = authorization({
  name: 'strict',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ notPrincipals: [{ kind: 'presence' }] })] }] }],
});

describe('a connection in plain text', () => {
  let bed: MeshBed;
  let app: Application;
  beforeEach(async () => {
    bed = await MeshBed.create();
    app = await Application.echo(serverIp);
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  it('reaches the application when no policy denies it, and proves no identity', async () => {
    const client = await bed.callPlain(app.port);
    client.end('hey');
    expect((await untilEnd(client)).data.toString()).to.equal('hey');
    const line = await bed.complete('inbound');
    expect(line).to.include({ level: 'info', 'dst.workload': 'server', bytes_sent: 3, bytes_recv: 3 });
    expect(line).not.to.have.any.keys('src.identity', 'dst.identity', 'dst.hbone_addr');
  });

  it('is closed under STRICT before the application hears of it', async () => {
    bed.push({ policies: [strict] });
    const client = await bed.callPlain(app.port);
    expect((await untilEnd(client)).data.length).to.equal(0);
    expect(app.connections).to.have.length(0);
    expect(await bed.complete('inbound')).to.include({ level: 'error', policy: 'bank/strict', rule: 0 });
  });

  it('is closed with a FIN when STRICT comes while it is open', async () => {
    const client = await bed.callPlain(app.port);
    client.write('x');
    await read(client, 1);
    const ends = [untilEnd(client), untilEnd(app.connections[0]!)];
    bed.push({ policies: [strict] });
    expect((await Promise.all(ends)).map(({ end }) => end)).to.deep.equal(['fin', 'fin']);
    expect((await bed.complete('inbound'))['error']).to.match(/^connection closed due to policy change/);
  });

  for (const port of [15_001, 15_006, 15_008]) {
    it(`never reaches port ${port} of the proxy`, async () => {
      const client = await bed.callPlain(port);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect((await bed.failed('inbound'))['error']).to.match(/never a target/);
    });
  }

  it('is closed after 5 s when the control plane does not know the pod', async () => {
    bed.push({ removed: ['Kubernetes//Pod/bank/server'] });
    const client = await bed.callPlain(app.port);
    const ended = untilEnd(client);
    while (bed.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    bed.clock.advance(5_000);
    await ended;
    expect((await bed.failed('inbound'))['error']).to.match(/server-sa\.bank/);
  });
});
