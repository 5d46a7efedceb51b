/** What a client, or an application, learns of a connection that failed at the other end; without the option: of its end. */
import { once } from 'node:events';
import type net from 'node:net';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { authorization, match } from '@clearmesh/shared/testing/builders';
import { Application, bounded, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

const denyAll = authorization({
  name: 'deny-all',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ destinationPorts: [], notDestinationPorts: [1] })] }] }],
});

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  await using app = await Application.listen(serverIp, () => {});
  return app.port;
}

/** How a call ends. Over loopback a reset may come so early that the client has not heard of its connection yet. */
async function endOf(call: Promise<net.Socket>): Promise<string> {
  const socket = await call.catch((error: NodeJS.ErrnoException) => error.code);
  if (typeof socket === 'object') return (await untilEnd(socket)).end;
  return socket === 'ECONNRESET' ? 'reset' : String(socket);
}

async function resetOf(socket: net.Socket): Promise<string> {
  const [error] = (await bounded(once(socket.resume(), 'error'), 'a reset')) as [NodeJS.ErrnoException];
  return error.code ?? error.message;
}

for (const resets of [true, false]) {
  describe(`a failure at the other end, ${resets ? 'with' : 'without'} resets`, () => {
    let bed: MeshBed;
    let app: Application;
    const seen = resets ? 'reset' : 'fin';
    beforeEach(async () => {
      bed = await MeshBed.create({ resets });
      app = await Application.echo(serverIp);
    });
    afterEach(async () => {
      await bed[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    });

    const calls = {
      'through the tunnel': (port: number) => bed.call(port),
      'in plain text': (port: number) => bed.callPlain(port),
    };
    for (const [way, call] of Object.entries(calls)) {
      it(`${way}: a port nobody listens on is a ${seen}`, async () => {
        expect(await endOf(call(await freePort()))).to.equal(seen);
      });

      it(`${way}: a denial is a ${seen}`, async () => {
        bed.push({ policies: [denyAll] });
        expect(await endOf(call(app.port))).to.equal(seen);
        expect(app.connections).to.have.length(0);
      });

      it(`${way}: an application that resets is a ${seen}`, async () => {
        const client = await call(app.port);
        client.write('x');
        await read(client, 1);
        app.connections[0]?.resetAndDestroy();
        expect((await untilEnd(client)).end).to.equal(seen);
        expect(await bed.complete('inbound')).to.include({ level: 'info', bytes_sent: 1 });
      });

      it(`${way}: a client that resets is a ${seen}`, async () => {
        const client = await call(app.port);
        client.write('x');
        await read(client, 1);
        const ended = untilEnd(app.connections[0]!);
        client.resetAndDestroy();
        expect((await ended).end).to.equal(seen);
      });
    }

    it('is no error of the tunnel in either log', async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      app.connections[0]?.resetAndDestroy();
      await untilEnd(client);
      const ends = await Promise.all([bed.complete('inbound'), bed.complete('outbound')]);
      expect(ends.map(({ level }) => level)).to.deep.equal(['info', 'info']);
    });

    it('ends in order what both sides end', async () => {
      const client = await bed.call(app.port);
      client.end('question');
      expect(await untilEnd(client)).to.deep.equal({ data: Buffer.from('question'), end: 'fin' });
    });
  });
}

describe('with resets', () => {
  it('an address outside the mesh that refuses is refused visibly', async () => {
    await using bed = await MeshBed.create({ resets: true });
    expect(await resetOf(await bed.call(await freePort(), { ip: '127.0.77.9' }))).to.equal('ECONNRESET');
  });
});
