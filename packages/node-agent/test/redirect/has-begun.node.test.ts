import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runInNamespace } from '../../src/redirect/namespace-command.ts';
import { Redirector } from '../../src/redirect/redirector.ts';
import { backends } from './backends.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

for (const { name, backend } of backends) {
  describe(`what is left in a pod by ${name}`, () => {
    let bed: NamespaceBed;
    beforeEach(() => {
      bed = new NamespaceBed();
    });
    afterEach(() => bed[Symbol.dispose]());

    it('tells one that was captured, if only in part, from one that never was or was let go', async () => {
      const pod = bed.add('pod');
      const redirector = new Redirector({ run: runInNamespace, backend });
      const begun = (): Promise<boolean> => redirector.hasBegun(pod, soon());
      expect(await begun()).to.equal(false);
      await redirector.install(pod, { inboundCapture: false }, soon());
      expect(await begun()).to.equal(true);
      await redirector.install(pod, {}, soon());
      expect(await begun()).to.equal(true);
      await redirector.install(pod, { inboundCapture: false, outboundCapture: false }, soon());
      expect(await begun()).to.equal(false);
      await redirector.remove(pod, soon());
      expect(await begun()).to.equal(false);
    });
  });
}
