import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Execute } from '../../src/redirect/execute.ts';
import { replacingFormer } from '../../src/redirect/former-rules.ts';
import type { FormerRules } from '../../src/redirect/former-rules.ts';
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

    for (const next of backends.filter((each) => each.name !== name)) {
      it(`is seen by ${next.name}, replaced, and taken away, also where the return path is gone`, async () => {
        const pod = bed.add('pod');
        const before = new Redirector({ run: runInNamespace, backend });
        // One that took the pod over, and knew of its own rules only.
        const unaware = new Redirector({ run: runInNamespace, backend: next.backend });
        const others = (execute: Execute): readonly FormerRules[] => [{ backend: backend(execute), families: [4, 6] }];
        const after = (): Redirector =>
          new Redirector({ run: runInNamespace, backend: (execute) => replacingFormer(next.backend(execute), others(execute)) });
        await before.install(pod, {}, soon());
        expect(await after().hasBegun(pod, soon())).to.equal(true);
        const { deviations, captures } = await after().inspect(pod, {}, soon());
        expect(captures).to.equal(true);
        expect(deviations).to.include(`rules by ${name} of an earlier agent`);
        await unaware.install(pod, {}, soon());
        await unaware.remove(pod, soon());
        expect(await unaware.hasBegun(pod, soon())).to.equal(false);
        expect(await after().hasBegun(pod, soon())).to.equal(true);
        await after().install(pod, {}, soon());
        expect(await unaware.inspect(pod, {}, soon())).to.deep.equal({ deviations: [], captures: true });
        expect((await before.inspect(pod, {}, soon())).captures).to.equal(false);
        await before.install(pod, {}, soon());
        await after().remove(pod, soon());
        for (const redirector of [before, unaware, after()]) expect(await redirector.hasBegun(pod, soon())).to.equal(false);
      });
    }
  });
}
