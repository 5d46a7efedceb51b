/** The agent is replaced by one whose rules are others, under a client that asks without end. */
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AgentBed, addressOf } from './agent-bed.ts';
import { seenBy, server, startAsking } from './asking-client.ts';
import { rewrite } from './redirect/backends.ts';
import { TunnellingProxy } from './tunnelling-proxy.ts';

const pods = ['ledger', 'payments'] as const;
const redirection = 'ambient.istio.io/redirection';

/** Rules that capture as well as ours, by other names and with other terms. */
const older = (text: string): string =>
  text.replaceAll(/(comment )"?(out|in)bound"?(?= |$)/gm, '$1"$2bound of old"').replaceAll('169.254.7.127', '169.254.7.126');

for (const program of ['nft', 'iptables-legacy'] as const) {
  describe(`an agent that finds older rules by ${program}`, function () {
    this.timeout(40_000);
    let bed: AgentBed;
    let proxy: TunnellingProxy;
    /** Every annotation that was written. */
    let said: string[];
    const socket = (): string => join(bed.directory, 'zds.sock');
    const rulesOf = (name: (typeof pods)[number]): string =>
      program === 'nft' ? bed.rules(name) : bed.bed.exec(name, `${program}-save`).replaceAll(/^[#:].*\n/gm, '');
    const captured = (): number => bed.log.split('pod captured').length - 1;

    beforeEach(async () => {
      bed = await AgentBed.start();
      said = [];
      const inMesh = new Set<string>();
      // As fast as the control plane can be: whoever says pending for a moment only is believed.
      bed.kube.onPod = ({ metadata }) => {
        const mark = metadata.annotations?.[redirection] ?? 'none';
        said.push(mark);
        inMesh[mark === 'enabled' ? 'add' : 'delete'](addressOf(metadata.name === 'ledger' ? 'ledger' : 'payments'));
      };
      for (const [index, name] of pods.entries()) {
        bed.pod(name);
        bed.process(name, 41 + index);
      }
      await bed.serve('ledger', server);
      await bed.agent('--rules', program);
      proxy = await bed.dialled(() => TunnellingProxy.dial(socket(), (ip) => inMesh.has(ip)));
      await bed.until(() => captured() === 2, 'both pods to be captured');
    });
    afterEach(() => bed[Symbol.asyncDispose]());

    it('replaces them, and no request is lost, no plaintext sent, and nobody told that the pods were out', async () => {
      const right = pods.map(rulesOf);
      const asking = await startAsking(bed);
      await bed.kill();
      for (const name of pods) rewrite(bed.bed, name, program, older);
      expect(rulesOf('ledger')).to.include('bound of old').and.not.equal(right[0]);
      const before = { ...proxy.counts };
      said = [];
      await bed.agent('--rules', program);
      await bed.logs('by rules of another version');
      // Nor while the proxy has not called yet.
      await bed.until(() => proxy.counts.tunnelled > before.tunnelled + 20, 'requests through the new rules');
      await bed.dialled(() => proxy.redial(socket()).then(() => proxy));
      await bed.until(() => captured() === 2, 'both pods to be captured');
      const { tunnelled } = proxy.counts;
      await bed.until(() => proxy.counts.tunnelled > tunnelled + 20, 'more requests');
      const seen = await seenBy(asking);
      expect(seen.lost).to.deep.equal([]);
      expect(seen.kept).to.be.greaterThan(20);
      expect(proxy.counts).to.include({ direct: before.direct, refused: before.refused });
      expect(said.filter((mark) => mark !== 'enabled')).to.deep.equal([]);
      expect(pods.map(rulesOf)).to.deep.equal(right);
      expect(bed.health('/metrics').body).to.match(/clearmesh_agent_captures_total\{event="updated"\} 2/);
    });

    it('puts a rule right that somebody has changed, while it runs', async () => {
      const right = rulesOf('ledger');
      await bed.kill();
      await bed.agent('--rules', program, '--verify-seconds', '1');
      await bed.dialled(() => proxy.redial(socket()).then(() => proxy));
      await bed.until(() => captured() === 2, 'both pods to be captured');
      expect(bed.log, 'rules as they have to be are left alone').to.not.match(/rules of another version|made anew/);
      said = [];
      const asking = await startAsking(bed);
      rewrite(bed.bed, 'ledger', program, (text) => text.replaceAll('15053', '15054'));
      expect(rulesOf('ledger')).to.not.equal(right);
      await bed.until(() => rulesOf('ledger') === right, 'the rules to be as before');
      await bed.until(() => captured() === 3, 'the pod to be captured again');
      expect((await seenBy(asking)).lost).to.deep.equal([]);
      expect(said.filter((mark) => mark !== 'enabled')).to.deep.equal([]);
    });
  });
}
