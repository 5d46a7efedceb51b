import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { datagramSocket } from '../src/datagram-socket.ts';
import { SyscallError } from '../src/errno.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';

function adopt(fd: number, family: 4 | 6): dgram.Socket {
  return dgram.createSocket(family === 4 ? 'udp4' : 'udp6').bind({ fd, exclusive: true });
}

describe('a datagram socket', () => {
  for (const [family, ip] of [
    [4, '127.0.0.1'],
    [6, '::1'],
  ] as const) {
    it(`is taken over by Node, hears and answers over IPv${family}`, async () => {
      const server = adopt(datagramSocket({ ip, port: 0 }).fd, family);
      const client = adopt(datagramSocket({ ip, port: 0 }).fd, family);
      server.on('message', (message, from) => server.send(`${message.toString()}!`, from.port, from.address));
      client.send('ping', server.address().port, ip);
      expect(String((await once(client, 'message'))[0])).to.equal('ping!');
      expect(server.address().address).to.equal(ip);
      for (const socket of [server, client]) socket.close();
    });
  }

  it('shares its port only when asked to, and leaves nothing open when it cannot', () => {
    const first = datagramSocket({ ip: '127.0.0.1', port: 0, reusePort: true });
    const socket = adopt(first.fd, 4);
    const { port } = socket.address();
    closeSync(datagramSocket({ ip: '127.0.0.1', port, reusePort: true }).fd);
    const before = openDescriptors();
    expect(() => datagramSocket({ ip: '127.0.0.1', port })).to.throw(SyscallError, 'EADDRINUSE');
    expect(() => datagramSocket({ ip: 'nowhere', port })).to.throw(SyscallError, 'EINVAL');
    expect(openDescriptors()).to.equal(before);
    socket.close();
  });

  it('leaves its port to a younger one', async () => {
    const first = datagramSocket({ ip: '127.0.0.1', port: 0, reusePort: true });
    const old = adopt(first.fd, 4);
    const { port } = old.address();
    const young = adopt(datagramSocket({ ip: '127.0.0.1', port, reusePort: true }).fd, 4);
    const heard: string[] = [];
    old.on('message', () => heard.push('old'));
    young.on('message', () => heard.push('young'));
    expect(first.yieldPort()).to.equal(true);
    // Each from a port of its own, since the kernel's own choice goes by addresses.
    for (let index = 0; index < 16; index++) {
      const client = dgram.createSocket('udp4');
      const heardIt = once(young, 'message');
      client.send('ping', port, '127.0.0.1');
      await heardIt;
      client.close();
    }
    expect(heard).to.deep.equal(Array<string>(16).fill('young'));
    for (const socket of [old, young]) socket.close();
  });
});
