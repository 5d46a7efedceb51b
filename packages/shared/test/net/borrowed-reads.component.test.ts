import { once } from 'node:events';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createReadBuffer, readBorrowed } from '../../src/net/borrowed-reads.ts';
import { event, until } from '../tunnel/bounded.ts';
import { tlsPair } from '../tunnel/tls-pair.ts';

describe('readBorrowed', () => {
  it('reads a TLS socket of this Node into the buffer it is given, read after read', async () => {
    const { client, server } = await tlsPair();
    const buffer = createReadBuffer();
    let heard = '';
    const places = new Set<ArrayBufferLike>();
    const taken = readBorrowed(server, buffer, (bytes) => {
      heard += String(bytes);
      places.add(bytes.buffer);
    });
    expect(taken, 'Node has what it takes').to.equal(true);
    for (let i = 0; i < 10; i++) {
      client.write(`${i}`);
      await until(() => heard.length === i + 1, `byte ${i}`);
    }
    expect(heard).to.equal('0123456789');
    expect([...places]).to.deep.equal([buffer.buffer]);
    client.destroy();
    server.destroy();
  });

  it('gives first what had come before', async () => {
    const { client, server } = await tlsPair();
    client.write('before');
    server.read(0);
    await until(() => server.readableLength > 0, 'bytes');
    let heard = '';
    readBorrowed(server, createReadBuffer(), (bytes) => (heard += String(bytes)));
    client.end(' and after');
    await event(server, 'end');
    expect(heard).to.equal('before and after');
    server.destroy();
  });

  it('tells a listener of data but once what had come before', async () => {
    const { client, server } = await tlsPair();
    client.write('before');
    server.read(0);
    await until(() => server.readableLength > 0, 'bytes');
    let heard = '';
    server.on('data', (bytes: Buffer) => (heard += String(bytes)));
    server.pause();
    readBorrowed(server, createReadBuffer(), (bytes) => server.emit('data', bytes));
    server.resume();
    client.end(' and after');
    await event(server, 'end');
    expect(heard).to.equal('before and after');
    server.destroy();
  });

  it('tells the end, and an end that had come before', async () => {
    const { client, server } = await tlsPair();
    client.end();
    await event(client, 'finish');
    const ended = event(server, 'end');
    readBorrowed(server, createReadBuffer(), () => {});
    await ended;
    server.destroy();
  });

  it('carries megabytes unchanged', async () => {
    const { client, server } = await tlsPair();
    const sent = Buffer.alloc(5_000_000, 'abcdefg');
    const received: Buffer[] = [];
    readBorrowed(server, createReadBuffer(), (bytes) => received.push(Buffer.from(bytes)));
    client.end(sent);
    await event(server, 'end');
    expect(Buffer.concat(received).equals(sent)).to.equal(true);
    server.destroy();
  });

  it('reads a plain socket that was accepted at rest, and rests when it is told to', async () => {
    const server = net.createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await event(server, 'listening');
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [net.Socket];
    const buffer = createReadBuffer();
    const places = new Set<ArrayBufferLike>();
    let heard = '';
    expect(
      readBorrowed(socket, buffer, (bytes) => {
        heard += String(bytes);
        places.add(bytes.buffer);
        if (heard.endsWith('!')) socket.pause();
      }),
    ).to.equal(true);
    client.write('one!');
    await until(() => heard === 'one!', 'the first');
    client.write('two');
    await new Promise((resolve) => client.once('drain', resolve).write(Buffer.alloc(1), resolve));
    expect(heard).to.equal('one!');
    socket.resume();
    client.end();
    await event(socket, 'end');
    expect([heard, [...places]]).to.deep.equal(['one!two\0', [buffer.buffer]]);
    socket.destroy();
    server.close();
  });

  it('leaves what is no socket as it is', () => {
    const stream = new PassThrough();
    expect(readBorrowed(stream, createReadBuffer(), () => {})).to.equal(false);
    expect(stream.readableFlowing).to.equal(null);
  });
});
