import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { service } from '@clearmesh/shared/testing/builders';
import type { PodDns } from '../../src/dns/pod-dns.ts';
import { RedirectedPod, createProxies } from './redirected-pod.ts';

const many = Array.from({ length: 300 }, (_, index) => `10.97.${index >> 8}.${index & 255}`);
const services = [
  service({ name: 'ledger', addresses: ['10.96.0.1', 'fd96::1'] }),
  service({ name: 'many', addresses: many }),
  service({ name: 'api', hostname: 'api.example.com', addresses: ['240.240.0.1'] }),
];

for (const family of [4, 6] as const) {
  describe(`a pod whose DNS over IPv${family} is redirected`, () => {
    let pod: RedirectedPod;
    let proxy: PodDns;
    /** Who asked the cluster's own server, and how. */
    let asked: readonly string[];

    beforeEach(async () => {
      pod = new RedirectedPod(family);
      asked = await pod.serve(2, '9.9.9.9');
      proxy = pod.startProxy(createProxies(services, [pod.server(2)]));
    });

    afterEach(() => pod[Symbol.asyncDispose]());

    const asks = (expression: string): Promise<unknown> => pod.asks([pod.server(2)], expression);

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
      expect(asked).to.deep.equal([`udp from ${pod.ip(1)}`]);
    });

    it('has its own server asked once for what it asks again', async () => {
      const twice = `resolver.resolve4('www.example.org').then(() => resolver.resolve4('WWW.example.org'))`;
      expect(await asks(twice)).to.deep.equal(['9.9.9.9']);
      expect(asked).to.have.lengthOf(1);
    });

    it('learns nothing of what another pod of the node was told', async () => {
      const open = createProxies(services, [pod.server(2)]);
      await using other = new RedirectedPod(family, 'other');
      await using third = new RedirectedPod(family, 'third');
      const askedOfOther = await other.serve(2, '6.6.6.6');
      const askedOfThird = await third.serve(2, '7.7.7.7');
      for (const each of [other, third]) each.startProxy(open);
      const lookUp = `resolver.resolve4('www.example.org')`;
      expect(await other.asks([other.server(2)], lookUp)).to.deep.equal(['6.6.6.6']);
      expect(await third.asks([third.server(2)], lookUp)).to.deep.equal(['7.7.7.7']);
      expect(await other.asks([other.server(2)], lookUp)).to.deep.equal(['6.6.6.6']);
      expect([askedOfOther.length, askedOfThird.length]).to.deep.equal([1, 1]);
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
