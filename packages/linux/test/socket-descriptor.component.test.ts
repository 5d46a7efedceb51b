import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import net from 'node:net';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { descriptorOf } from '../src/socket-descriptor.ts';

describe('socket._handle.fd', () => {
  it('is still where Node keeps the descriptor of an accepted socket', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const client = net.connect(port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    const fd = descriptorOf(accepted);
    expect(fd, 'Node changed socket._handle.fd: adapt src/socket-descriptor.ts').to.be.a('number');
    expect(readlinkSync(`/proc/self/fd/${fd}`)).to.match(/^socket:/);
    accepted.destroy();
    expect(descriptorOf(accepted)).to.equal(undefined);
    client.destroy();
    server.close();
  });

  it('is reported as missing, with the Node version, when the handle has none', () => {
    const changed = { _handle: {} } as unknown as net.Socket;
    expect(() => descriptorOf(changed)).to.throw(TypeError, process.version);
  });

  it('is undefined for a socket that has no handle yet', () => {
    expect(descriptorOf(new net.Socket())).to.equal(undefined);
  });
});
