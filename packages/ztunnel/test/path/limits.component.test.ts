/** What one pod may hold, so that it cannot take what the node's other pods need. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Application, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

describe('a pod that holds as many connections as it may', () => {
  let bed: MeshBed;
  let app: Application;
  beforeEach(async () => {
    bed = await MeshBed.create({ maxConnections: 1 });
    app = await Application.echo(serverIp);
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  const denials = async (): Promise<string> =>
    (await bed.metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('clearmesh_denials_total{'))
      .join('\n');

  it('closes one more outbound connection, counts it, and takes the next once there is room', async () => {
    const first = await bed.call(app.port);
    first.write('x');
    await read(first, 1);
    const second = await bed.call(app.port);
    expect((await untilEnd(second)).data.length).to.equal(0);
    expect((await bed.failed('outbound'))['error']).to.match(/1 connections open already/);
    expect(await denials()).to.contain('too-many-connections');
    first.end();
    await untilEnd(first);
    await bed.complete('inbound');
    const third = await bed.call(app.port);
    third.end('again');
    expect((await untilEnd(third)).data.toString()).to.equal('again');
  });

  it('closes one more plaintext connection before the application hears of it', async () => {
    const first = await bed.callPlain(app.port);
    first.write('x');
    await read(first, 1);
    expect((await untilEnd(await bed.callPlain(app.port))).data.length).to.equal(0);
    expect(app.connections).to.have.length(1);
  });

  it('answers one more CONNECT with 503', async () => {
    const pooled = await bed.call(app.port);
    pooled.end('x');
    await untilEnd(pooled);
    await Promise.all([bed.complete('inbound'), bed.complete('outbound')]);
    const plain = await bed.callPlain(app.port);
    plain.write('x');
    await read(plain, 1);
    const refused = await bed.call(app.port);
    expect((await untilEnd(refused)).data.length).to.equal(0);
    expect((await bed.line((line) => /503/.test(String(line['error']))))['direction']).to.equal('outbound');
    expect(app.connections).to.have.length(2);
  });
});
