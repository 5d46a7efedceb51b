import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { service } from '@clearmesh/shared/testing/builders';
import { wireName } from './messages.ts';
import { RedirectedPod, createProxies } from './redirected-pod.ts';

const services = [service({ name: 'ledger', addresses: ['10.96.0.1', 'fd96::1'] })];
/** A question for www.example.org, by hand. */
const message = `Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ${[...wireName('www.example.org')].join()}, 0, 1, 0, 1])`;
/** Asks over TCP alone. */
const overTcp = (ip: string): string => `
  import('node:net').then(({ connect }) => new Promise((resolve, reject) => {
    const message = ${message};
    const socket = connect(53, '${ip}', () => socket.write(Buffer.concat([Buffer.from([0, message.length]), message])));
    socket.on('error', reject).on('data', (data) => { socket.destroy(); resolve(data.subarray(-4).join('.')); });
  }))`;
/** As musl does it: every server at once from one port; who answered, and what. */
const overOneSocket = (family: 4 | 6, ips: readonly string[]): string => `
  import('node:dgram').then(({ createSocket }) => new Promise((resolve) => {
    const [socket, seen, ips] = [createSocket('udp${family}'), {}, ${JSON.stringify(ips)}];
    socket.on('message', (answer, from) => {
      seen[from.address] = answer.subarray(-4).join('.');
      if (Object.keys(seen).length < ips.length) return;
      socket.close();
      resolve(seen);
    });
    for (const ip of ips) socket.send(${message}, 53, ip);
  }))`;

for (const family of [4, 6] as const) {
  describe(`a pod with resolvers of its own, over IPv${family}`, () => {
    let pod: RedirectedPod;
    /** Who asked the cluster's server, and that of the pod. */
    let cluster: readonly string[];
    let own: readonly string[];

    beforeEach(async () => {
      pod = new RedirectedPod(family);
      cluster = await pod.serve(2, '2.2.2.2');
      own = await pod.serve(3, '3.3.3.3');
      pod.startProxy(createProxies(services, [pod.server(2)]));
    });
    afterEach(() => pod[Symbol.asyncDispose]());

    it('learns other names from the resolver of its resolv.conf, which is asked by the pod’s address', async () => {
      pod.writeResolverConfig(`nameserver ${pod.ip(3)}\n`);
      expect(await pod.asks([], `lookup('www.example.org', { family: 4 })`)).to.deep.equal({ address: '3.3.3.3', family: 4 });
      expect([cluster, new Set(own)]).to.deep.equal([[], new Set([`udp from ${pod.ip(1)}`])]);
    });

    it('learns names of the mesh from the proxy all the same', async () => {
      pod.writeResolverConfig(`nameserver ${pod.ip(3)}\n`);
      const expression = `lookup('ledger.bank.svc.cluster.local', { family: 4 })`;
      expect(await pod.asks([], expression)).to.deep.equal({ address: '10.96.0.1', family: 4 });
      expect([cluster, own]).to.deep.equal([[], []]);
    });

    it('has its resolver asked over TCP when it asks so', async () => {
      expect(await pod.asks([], overTcp(pod.ip(3)))).to.equal('3.3.3.3');
      expect([cluster, own]).to.deep.equal([[], [`tcp from ${pod.ip(1)}`]]);
    });

    it('asks those of the proxy as before', async () => {
      pod.writeResolverConfig(`nameserver ${pod.ip(2)}\n`);
      expect(await pod.asks([], `lookup('www.example.org', { family: 4 })`)).to.deep.equal({ address: '2.2.2.2', family: 4 });
      expect([new Set(cluster), own]).to.deep.equal([new Set([`udp from ${pod.ip(1)}`]), []]);
    });

    it('gets each answer from the server that it asked, also over one socket', async () => {
      const servers = [pod.ip(2), pod.ip(3)];
      expect(await pod.asks([], overOneSocket(family, servers))).to.deep.equal({
        [pod.ip(2)]: '2.2.2.2',
        [pod.ip(3)]: '3.3.3.3',
      });
    });

    it('asks many questions of both at a time', async () => {
      const expression = `Promise.all(${JSON.stringify([2, 3].map((host) => pod.server(host)))}.map(async (server) => {
        const one = new Resolver({ timeout: 5500, tries: 1 });
        one.setServers([server]);
        const names = Array.from({ length: 40 }, (_, n) => 'host-' + n + '.example.org');
        return [...new Set((await Promise.all(names.map((name) => one.resolve4(name)))).flat())];
      }))`;
      expect(await pod.asks([], expression)).to.deep.equal([['2.2.2.2'], ['3.3.3.3']]);
      expect([cluster.length, own.length]).to.deep.equal([40, 40]);
    });

    it('gets SERVFAIL within five seconds when its resolver is silent, and nobody else is asked', async () => {
      const silent = await pod.serve(4, undefined);
      expect(await pod.asks([pod.server(4)], `resolver.resolve4('www.example.org')`)).to.equal('ESERVFAIL');
      expect([cluster, own, silent]).to.deep.equal([[], [], [`udp from ${pod.ip(1)}`, `udp from ${pod.ip(1)}`]]);
    });

    it('gets SERVFAIL at once when nobody listens there', async () => {
      expect(await pod.asks([pod.server(4)], `resolver.resolve4('www.example.org')`)).to.equal('ESERVFAIL');
      expect([cluster, own]).to.deep.equal([[], []]);
    });
  });
}
