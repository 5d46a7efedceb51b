import { closeSync, writeSync } from 'node:fs';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import * as libc from '@clearmesh/linux/libc';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { DatagramPort } from '../../src/dns/datagram-port.ts';
import { freePort } from './resolvers.ts';

const AF_INET = 2;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;

/** From a port of the sender's choice, as a pod with CAP_NET_RAW can. */
function sendForged(from: number, to: number, payload: Buffer): void {
  const fd = libc.check(libc.socket(AF_INET, SOCK_RAW, IPPROTO_UDP), 'socket', 'raw UDP');
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt32BE(0x7f00_0001, 4);
  libc.check(libc.connect(fd, address, address.length), 'connect', '127.0.0.1');
  const header = Buffer.alloc(8);
  [from, to, header.length + payload.length, 0].forEach((field, index) => header.writeUInt16BE(field, index * 2));
  writeSync(fd, Buffer.concat([header, payload]));
  closeSync(fd);
}

describe('a datagram from a port that nobody has', () => {
  it('is not answered: neither one from port 0, to which nothing can be sent, nor one from the own port', async () => {
    const port = await freePort();
    const heard: string[] = [];
    const last = Promise.withResolvers<void>();
    const respond = (message: Uint8Array): Promise<Uint8Array> => {
      heard.push(Buffer.from(message).toString());
      last.resolve();
      return Promise.resolve(message);
    };
    const served = new DatagramPort(datagramSocket({ ip: '127.0.0.1', port }), 4, { respond, logger: silentLogger });
    sendForged(0, port, Buffer.from('from 0'));
    sendForged(port, port, Buffer.from('from itself'));
    sendForged(await freePort(), port, Buffer.from('from anybody'));
    await last.promise;
    await served.finish();
    expect(heard).to.deep.equal(['from anybody']);
  });
});
