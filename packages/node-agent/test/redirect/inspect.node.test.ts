/** What a pod has of its rules is compared by content, as the kernel shows it. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { openDescriptors } from '@clearmesh/linux/testing/open-descriptors';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runInNamespace } from '../../src/redirect/namespace-command.ts';
import type { Redirection } from '../../src/redirect/redirection.ts';
import { Redirector } from '../../src/redirect/redirector.ts';
import { backends, rewrite } from './backends.ts';

const right = { deviations: [], captures: true };
const soon = (): AbortSignal => AbortSignal.timeout(5000);

for (const { name, backend } of backends) {
  describe(`the redirection that a pod has by ${name}`, () => {
    let bed: NamespaceBed;
    let pod: NetworkNamespace;
    const redirector = new Redirector({ run: runInNamespace, backend });
    const capture = (redirection: Redirection = {}): Promise<void> => redirector.install(pod, redirection, soon());

    beforeEach(() => {
      bed = new NamespaceBed();
      pod = bed.add('pod');
    });
    afterEach(() => bed[Symbol.dispose]());

    it('deviates in nothing after installation, in everything before it, and in what somebody took away', async () => {
      const before = await redirector.inspect(pod, {}, soon());
      expect(before.deviations.length).to.be.greaterThan(10);
      expect(before.captures).to.equal(false);
      await capture();
      expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
      expect((await redirector.inspect(pod, { dnsCapture: true }, soon())).deviations).to.not.deep.equal([]);
      bed.exec('pod', 'ip', 'rule', 'del', 'pref', '32764');
      if (name === 'nft') bed.exec('pod', 'nft', 'flush chain inet istio-ambient-nat output');
      else bed.exec('pod', name, '-t', 'nat', '-F', 'ISTIO_OUTPUT');
      const { deviations, captures } = await redirector.inspect(pod, {}, soon());
      expect(captures).to.equal(false);
      expect(deviations).to.include('IPv4: rule of the return path');
      expect(deviations.join()).to.include('15001').and.not.include('15006 ');
      await capture();
      expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
    });

    for (const redirection of [
      { dnsCapture: true },
      { virtualInterfaces: ['br0'] },
      { inboundCapture: false },
      { ipv6: false },
    ]) {
      it(`is as it has to be with ${JSON.stringify(redirection)}, and tells it from what it is without`, async () => {
        await capture(redirection);
        expect(await redirector.inspect(pod, redirection, soon())).to.deep.equal(right);
        expect((await redirector.inspect(pod, {}, soon())).deviations).to.not.deep.equal([]);
        await capture();
        expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
      });
    }

    it('is found wanting where a rule of somebody else comes before', async () => {
      await capture();
      if (name === 'nft') bed.exec('pod', 'nft', 'insert rule inet istio-ambient-nat output accept');
      else bed.exec('pod', name, '-t', 'nat', '-I', 'OUTPUT', '1', '-j', 'ACCEPT');
      expect((await redirector.inspect(pod, {}, soon())).deviations).to.have.length(1);
      await capture();
      expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
    });

    for (const { what, change } of [
      { what: 'a port', change: (text: string) => text.replaceAll('15008', '15009') },
      { what: 'a mark', change: (text: string) => text.replaceAll(/0x(0*)539/g, '0x$1538') },
      { what: 'an address', change: (text: string) => text.replaceAll('169.254.7.127', '169.254.7.126') },
      {
        what: 'a verdict',
        change: (text: string) =>
          text.replaceAll('reject with tcp reset', 'drop').replaceAll(/REJECT --reject-with tcp-reset/g, 'DROP'),
      },
    ]) {
      it(`is found wanting, and captures all the same, where ${what} is another one in rules of the same names`, async () => {
        await capture();
        rewrite(bed, 'pod', name, change);
        const { deviations, captures } = await redirector.inspect(pod, {}, soon());
        expect(deviations).to.not.deep.equal([]);
        expect(captures).to.equal(true);
        await capture();
        expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
      });
    }

    it('is compared without a namespace left open, however many kinds there are', async () => {
      await redirector.inspect(pod, {}, soon());
      const before = openDescriptors();
      for (let device = 0; device < 40; device++) await redirector.inspect(pod, { virtualInterfaces: [`br${device}`] }, soon());
      expect(openDescriptors()).to.equal(before);
      await capture();
      expect(await redirector.inspect(pod, {}, soon())).to.deep.equal(right);
    });
  });
}
