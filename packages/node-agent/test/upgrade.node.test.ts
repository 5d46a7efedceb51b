/** The agent is replaced by one whose rules are others, under a client that asks without end. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { AgentBed } from './agent-bed.ts';
import { AnnotatedPods, podNames } from './annotated-pods.ts';
import { seenBy, startAsking } from './asking-client.ts';
import { rewrite } from './redirect/backends.ts';
import type { TunnellingProxy } from './tunnelling-proxy.ts';

/** Rules that capture as well as ours, by other names and with other terms. */
const older = (text: string): string =>
  text.replaceAll(/(comment )"?(out|in)bound"?(?= |$)/gm, '$1"$2bound of old"').replaceAll('169.254.7.127', '169.254.7.126');

for (const program of ['nft', 'iptables-legacy'] as const) {
  describe(`an agent that finds older rules by ${program}`, function () {
    this.timeout(40_000);
    let pods: AnnotatedPods;
    let bed: AgentBed;
    let proxy: TunnellingProxy;
    const rulesOf = (name: (typeof podNames)[number]): string =>
      program === 'nft' ? bed.rules(name) : bed.bed.exec(name, `${program}-save`).replaceAll(/^[#:].*\n/gm, '');

    beforeEach(async () => {
      pods = await AnnotatedPods.start();
      ({ bed } = pods);
      await bed.agent('--rules', program);
      proxy = await pods.dial();
    });
    afterEach(() => pods[Symbol.asyncDispose]());

    it('replaces them, and no request is lost, no plaintext sent, and nobody told that the pods were out', async () => {
      const right = podNames.map(rulesOf);
      const asking = await startAsking(bed);
      await bed.kill();
      for (const name of podNames) rewrite(bed.bed, name, program, older);
      expect(rulesOf('ledger')).to.include('bound of old').and.not.equal(right[0]);
      const before = { ...proxy.counts };
      pods.said = [];
      await bed.agent('--rules', program);
      await bed.logs('by rules of another version');
      // Nor while the proxy has not called yet.
      await bed.until(() => proxy.counts.tunnelled > before.tunnelled + 20, 'requests through the new rules');
      await pods.dial();
      const { tunnelled } = proxy.counts;
      await bed.until(() => proxy.counts.tunnelled > tunnelled + 20, 'more requests');
      const seen = await seenBy(asking);
      expect(seen.lost).to.deep.equal([]);
      expect(seen.kept).to.be.greaterThan(20);
      expect(proxy.counts).to.include({ direct: before.direct, refused: before.refused });
      expect(pods.otherMarks).to.deep.equal([]);
      expect(podNames.map(rulesOf)).to.deep.equal(right);
      expect(bed.health('/metrics').body).to.match(/clearmesh_agent_captures_total\{event="updated"\} 2/);
    });

    it('puts a rule right that somebody has changed, while it runs', async () => {
      const right = rulesOf('ledger');
      await bed.kill();
      await bed.agent('--rules', program, '--verify-seconds', '1');
      await pods.dial();
      expect(bed.log, 'rules as they have to be are left alone').to.not.match(/rules of another version|made anew/);
      pods.said = [];
      const asking = await startAsking(bed);
      rewrite(bed.bed, 'ledger', program, (text) => text.replaceAll('15053', '15054'));
      expect(rulesOf('ledger')).to.not.equal(right);
      await bed.until(() => rulesOf('ledger') === right, 'the rules to be as before');
      await bed.until(() => pods.logged('pod captured') === 3, 'the pod to be captured again');
      expect((await seenBy(asking)).lost).to.deep.equal([]);
      expect(pods.otherMarks).to.deep.equal([]);
    });
  });
}
