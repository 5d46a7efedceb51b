import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Application, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

describe('the status of a pod with connections', () => {
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

  it('shows what is open on either side, and nothing of it afterwards', async () => {
    const client = await bed.call(app.port);
    client.write('x');
    await read(client, 1);
    const shown = (): readonly unknown[] => [
      bed.client.path.connections.counts,
      [bed.client.path.dialer.tunnelCount, bed.client.path.dialer.streamCount],
      bed.server.path.connections.counts,
      bed.server.path.accepted,
      bed.server.path.connections.heldBytes,
    ];
    const one = { inbound: 0, outbound: 1 };
    expect(shown()).to.deep.equal([one, [1, 1], { inbound: 1, outbound: 0 }, { tunnels: 1, streams: 1 }, 0]);
    client.end();
    await untilEnd(client);
    await Promise.all([bed.complete('inbound'), bed.complete('outbound')]);
    const none = { inbound: 0, outbound: 0 };
    expect(shown()).to.deep.equal([none, [1, 0], none, { tunnels: 1, streams: 0 }, 0]);
    expect([bed.client.path.failures.count, bed.server.path.failures.count]).to.deep.equal([0, 0]);
  });

  it('leaves in the status of its pod why it failed', async () => {
    await using silent = await Application.listen(serverIp, () => {});
    const { port } = silent;
    await silent[Symbol.asyncDispose]();
    await untilEnd(await bed.call(port));
    await bed.complete('outbound');
    expect(bed.client.path.failures.current).to.include({ direction: 'outbound', error: 'http status: 503 Service Unavailable' });
    expect(bed.server.path.failures.current?.error).to.match(/ECONNREFUSED/);
  });
});
