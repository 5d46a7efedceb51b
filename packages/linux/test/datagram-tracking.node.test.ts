import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { datagramSocket } from '../src/datagram-socket.ts';
import { DatagramTracking } from '../src/datagram-tracking.ts';
import type { InetAddress } from '../src/inet-address.ts';
import type { NetworkNamespace } from '../src/netns.ts';
import { NamespaceBed } from '../src/testing/namespace-bed.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';

const rules = `
table inet pod {
  chain nat-out {
    type nat hook output priority -100;
    udp dport 53 oifname != "lo" redirect to :15053
  }
}`;

const families = [
  { family: 4, any: '0.0.0.0', loopback: '127.0.0.1', servers: ['10.78.0.2', '10.78.0.3'] },
  { family: 6, any: '::', loopback: '::1', servers: ['fd78::2', 'fd78::3'] },
] as const;

for (const { family, any, loopback, servers } of families) {
  describe(`a redirected IPv${family} datagram`, () => {
    let bed: NamespaceBed;
    let pod: NetworkNamespace;
    let listener: dgram.Socket;
    let sender: dgram.Socket;
    const to: InetAddress = { ip: loopback, port: 15_053 };

    const open = (ip: string, port: number): dgram.Socket => {
      const socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
      socket.bind({ fd: datagramSocket({ namespace: pod, ip, port }).fd, exclusive: true });
      return socket;
    };

    beforeEach(() => {
      bed = new NamespaceBed();
      pod = bed.add('pod').duplicate();
      bed.add('far');
      bed.link(
        { namespace: 'pod', device: 'eth0', addresses: ['10.78.0.1/24', 'fd78::1/64'] },
        { namespace: 'far', device: 'eth0', addresses: ['10.78.0.2/24', 'fd78::2/64'] },
      );
      bed.exec('pod', 'nft', rules);
      listener = open(loopback, to.port);
      sender = open(any, 0);
    });
    afterEach(() => {
      listener.close();
      sender.close();
      pod[Symbol.dispose]();
      bed[Symbol.dispose]();
    });

    /** Who it seems to come from, when it has arrived. */
    const send = async (ip: string, port: number): Promise<InetAddress> => {
      const arrival = once(listener, 'message');
      sender.send('?', port, ip);
      const [, from] = (await arrival) as [Buffer, dgram.RemoteInfo];
      return { ip: from.address, port: from.port };
    };

    it('had the destination that connection tracking remembers, also when one socket asks several servers', async () => {
      using tracking = new DatagramTracking(pod);
      for (const ip of [...servers, ...servers]) {
        expect(tracking.originalDestination(await send(ip, 53), to)).to.deep.equal({ ip, port: 53 });
      }
    });

    it('that was not redirected had the address where it arrived', async () => {
      using tracking = new DatagramTracking(pod);
      expect(tracking.originalDestination(await send(loopback, to.port), to)).to.deep.equal(to);
    });

    it('is not known in another namespace, nor from a port that sent nothing', async () => {
      const from = await send(servers[0], 53);
      using own = new DatagramTracking();
      expect(own.originalDestination(from, to)).to.equal(undefined);
      using tracking = new DatagramTracking(pod);
      expect(tracking.originalDestination({ ...from, port: from.port === 1 ? 2 : 1 }, to)).to.equal(undefined);
    });

    it('leaves no descriptor behind', async () => {
      const before = openDescriptors();
      const from = await send(servers[0], 53);
      const tracking = new DatagramTracking(pod);
      for (let count = 0; count < 100; count++) tracking.originalDestination(from, to);
      tracking[Symbol.dispose]();
      tracking[Symbol.dispose]();
      expect(openDescriptors()).to.deep.equal(before);
      expect(() => tracking.originalDestination(from, to)).to.throw(/EBADF/);
    });
  });
}
