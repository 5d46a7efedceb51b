import { expect } from 'chai';
import { describe, it } from 'mocha';
import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { serverSettings } from '../../src/tunnel/engine-settings.ts';
import { createEngine } from '../../src/tunnel/engine-choice.ts';

describe('chunks written together on a tunnel stream', () => {
  const written: readonly (readonly [what: string, chunks: readonly (string | Buffer)[]])[] = [
    ['text, bytes and nothing, as node:http writes an answer', ['HTTP/1.1 200 OK\r\n\r\n', Buffer.from('body'), '']],
    ['text twice and nothing twice', ['HTTP/1.1 200 OK\r\n\r\n', 'body', '', '']],
    ['nothing in between', ['HTTP/1.1 200 OK\r\n\r\n', '', 'body']],
    ['bytes and no bytes', [Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), Buffer.from('body'), Buffer.alloc(0)]],
  ];
  const cases = (['framed', 'node'] as const).flatMap((name) => written.map((each) => [name, ...each] as const));
  for (const [name, what, chunks] of cases) {
    it(`arrive as they were, by engine ${name}: ${what}`, async () => {
      const engine = createEngine(name, { clock: systemClock });
      const server = net.createServer((socket) => {
        engine.serve(socket, serverSettings, (incoming) => {
          const stream = incoming.accept({});
          stream.cork();
          for (const chunk of chunks) stream.write(chunk, 'latin1');
          process.nextTick(() => stream.uncork());
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      for (let round = 0; round < 10; round += 1) {
        const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
        await once(socket, 'connect');
        const session = await engine.connect(socket, serverSettings);
        const opened = await session.open({ authority: '10.0.0.1:80', headers: {} }, AbortSignal.timeout(2_000));
        if (opened.kind !== 'open') throw new Error(opened.kind);
        let heard = '';
        while (!heard.endsWith('body')) heard += String((await once(opened.stream, 'data'))[0]);
        expect(heard).to.equal('HTTP/1.1 200 OK\r\n\r\nbody');
        socket.destroy();
      }
      server.close();
    });
  }
});
