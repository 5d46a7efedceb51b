import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import { Metrics } from '../../src/admin/metrics.ts';
import { readConfig } from '../../src/config.ts';
import { createPodDns } from '../../src/dns/create-pod-dns.ts';
import { MessageStream, framed } from '../../src/dns/message-stream.ts';
import type { PodDns } from '../../src/dns/pod-dns.ts';
import { upstreamAnswer } from './messages.ts';

const run = promisify(execFile);

/** The DNS rows of l4-contract section 6, for both families, written by hand so that this test does not lean on the node agent's. */
const rules = `
table inet pod {
  chain raw-in {
    type filter hook prerouting priority raw;
    udp sport 53 meta mark & 0xfff != 0x539 ct zone set 1
  }
  chain raw-out {
    type filter hook output priority raw;
    udp dport 53 meta mark & 0xfff == 0x539 ct zone set 1
  }
  chain nat-out {
    type nat hook output priority -100;
    udp dport 53 oifname != "lo" meta mark & 0xfff != 0x539 redirect to :15053
    ip daddr != 127.0.0.1 tcp dport 53 meta mark & 0xfff != 0x539 redirect to :15053
    ip6 daddr != ::1 tcp dport 53 meta mark & 0xfff != 0x539 redirect to :15053
  }
}`;

const many = Array.from({ length: 300 }, (_, index) => `10.97.${index >> 8}.${index & 255}`);
const pod = { name: 'client', namespace: 'bank', serviceAccount: 'default' };
const store = storeOf({
  workloads: [workload()],
  services: [
    service({ name: 'ledger', addresses: ['10.96.0.1', 'fd96::1'] }),
    service({ name: 'many', addresses: many }),
    service({ name: 'api', hostname: 'api.example.com', addresses: ['240.240.0.1'] }),
  ],
});

/** Runs in the pod, as an application of it: asks the server that the pod was given, and prints what it learns. */
const application = (server: string, expression: string): string => `
  import { Resolver } from 'node:dns/promises';
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers(['${server}']);
  const said = async (asked) => asked.catch((error) => error.code);
  console.log(JSON.stringify(await said(${expression})));`;

const families = [
  { family: 4, podIp: '10.79.0.1', serverIp: '10.79.0.2', server: '10.79.0.2:53' },
  { family: 6, podIp: 'fd79::1', serverIp: 'fd79::2', server: '[fd79::2]:53' },
] as const;

for (const { family, podIp, serverIp, server } of families) {
  describe(`a pod whose DNS over IPv${family} is redirected`, () => {
    let bed: NamespaceBed;
    let far: NetworkNamespace;
    let handle: NetworkNamespace;
    let proxy: PodDns;
    let datagrams: dgram.Socket;
    let streams: net.Server;
    /** Who asked the cluster's own server, and how. */
    let asked: string[];

    beforeEach(async () => {
      bed = new NamespaceBed();
      handle = bed.add('pod').duplicate();
      far = bed.add('far');
      bed.link(
        { namespace: 'pod', device: 'eth0', addresses: ['10.79.0.1/24', 'fd79::1/64'] },
        { namespace: 'far', device: 'eth0', addresses: ['10.79.0.2/24', 'fd79::2/64'] },
      );
      bed.exec('pod', 'nft', rules);
      asked = [];
      datagrams = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
      datagrams.on('message', (message, from) => {
        asked.push(`udp from ${from.address}`);
        datagrams.send(upstreamAnswer(message, { address: '9.9.9.9' }), from.port, from.address);
      });
      datagrams.bind({ fd: datagramSocket({ namespace: far, ip: serverIp, port: 53 }).fd, exclusive: true });
      streams = net.createServer((socket) => void serve(socket));
      streams.listen({ fd: listenSocket({ namespace: far, ip: serverIp, port: 53 }).fd });
      await once(streams, 'listening');
      const config = readConfig({ NODE_NAME: 'node-a' });
      if (config.dns === undefined) throw new Error('the DNS proxy is off');
      proxy = createPodDns(config.dns, config, {
        store,
        metrics: new Metrics({ version: 'test' }, { clock: systemClock }),
        log: { scope: () => silentLogger },
        clock: systemClock,
        random: systemRandom,
        nameservers: [socketAddress(server)],
      })({ uid: 'client', info: pod, namespace: handle });
    });

    afterEach(() => {
      proxy[Symbol.dispose]();
      datagrams.close();
      streams.close();
      handle[Symbol.dispose]();
      bed[Symbol.dispose]();
    });

    async function serve(socket: net.Socket): Promise<void> {
      socket.on('error', () => {});
      asked.push(`tcp from ${socket.remoteAddress}`);
      for await (const message of new MessageStream(socket))
        socket.write(framed(upstreamAnswer(message, { address: '9.9.9.9' })));
    }

    const asks = async (expression: string): Promise<unknown> => {
      const program = ['--input-type=module', '--eval', application(server, expression)];
      const { stdout } = await run('ip', ['netns', 'exec', bed.nameOf('pod'), process.execPath, ...program]);
      return JSON.parse(stdout) as unknown;
    };

    it('learns names of the mesh from the proxy', async () => {
      expect(await asks(`resolver.resolve4('ledger.bank.svc.cluster.local')`)).to.deep.equal(['10.96.0.1']);
      expect(await asks(`resolver.resolve6('ledger.bank.svc.cluster.local')`)).to.deep.equal(['fd96::1']);
      expect(await asks(`resolver.resolve4('api.example.com')`)).to.deep.equal(['240.240.0.1']);
      expect(await asks(`resolver.resolve6('api.example.com')`)).to.equal('ENODATA');
      expect(asked).to.deep.equal([]);
    });

    it('learns many addresses over TCP', async () => {
      expect(await asks(`resolver.resolve4('many.bank').then((found) => found.length)`)).to.equal(300);
      expect(asked).to.deep.equal([]);
    });

    it('learns other names from its own server, which is asked by the pod’s address', async () => {
      expect(await asks(`resolver.resolve4('www.example.org')`)).to.deep.equal(['9.9.9.9']);
      expect(asked).to.deep.equal([`udp from ${podIp}`]);
    });

    it('asks as many questions at a time as it likes', async () => {
      const expression = `Promise.all(Array.from({ length: 100 }, (_, n) => resolver.resolve4('host-' + n + (n % 2 ? '.example.org' : '.api.example.com')))).then((all) => all.length)`;
      expect(await asks(expression)).to.equal(100);
      expect(asked).to.have.lengthOf(100);
    });

    it('is told nothing once its proxy is gone: it fails closed', async () => {
      proxy[Symbol.dispose]();
      expect(await asks(`resolver.resolve4('www.example.org')`)).to.be.oneOf(['ECONNREFUSED', 'ETIMEOUT']);
      expect(asked).to.deep.equal([]);
    });
  });
}
