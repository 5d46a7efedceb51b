/** The agent is replaced by one that makes its rules with another program, under a client that asks without end. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { addressOf } from './agent-bed.ts';
import type { AgentBed } from './agent-bed.ts';
import { AnnotatedPods, podNames } from './annotated-pods.ts';
import { seenBy, startAsking } from './asking-client.ts';
import type { BackendName } from './redirect/backends.ts';
import { programsIn, ruleNames } from './rule-programs.ts';
import type { TunnellingProxy } from './tunnelling-proxy.ts';

const ask = `fetch('http://${addressOf('ledger')}:8080').then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))`;

describe('an agent that makes its rules with another program than the one before', function () {
  this.timeout(90_000);
  let pods: AnnotatedPods;
  let bed: AgentBed;
  const label = (labels: Readonly<Record<string, string>>): void =>
    bed.kube.put('namespaces', { metadata: { name: 'bank', labels } });
  const asked = (from: 'payments' | 'host'): string => bed.bed.exec(from, process.execPath, '-e', ask).trim();

  beforeEach(async () => {
    pods = await AnnotatedPods.start();
    ({ bed } = pods);
  });
  afterEach(() => pods[Symbol.asyncDispose]());

  /** Starts an agent and gives it the proxy. */
  async function agent(rules: string): Promise<TunnellingProxy> {
    await bed.agent('--rules', rules);
    return pods.dial();
  }

  /** The node and its pods have rules of this program alone. */
  async function expectOnly(rules: BackendName): Promise<void> {
    for (const name of podNames) expect(programsIn(bed, name), name).to.deep.equal([rules]);
    await bed.until(() => programsIn(bed, 'host').length === 1, 'the former probe rules to go');
    expect(programsIn(bed, 'host')).to.deep.equal([rules]);
  }

  it('takes its pods over from one program after the other, and nothing is lost, nor said', async () => {
    const { counts } = await agent('nft');
    await expectOnly('nft');
    const asking = await startAsking(bed);
    const before = { ...counts };
    pods.said = [];
    for (const rules of ['iptables-legacy', 'iptables-nft', 'nft', 'iptables-nft', 'iptables-legacy', 'nft'] as const) {
      await bed.kill();
      await agent(rules);
      await expectOnly(rules);
      expect(bed.log).to.include('by rules of another version');
      const { tunnelled } = counts;
      await bed.until(() => counts.tunnelled > tunnelled + 20, `requests through rules by ${rules}`);
      expect(asked('host'), 'a probe of the node').to.equal('169.254.7.127');
    }
    const seen = await seenBy(asking);
    expect(seen.lost).to.deep.equal([]);
    expect(seen.kept).to.be.greaterThan(20);
    expect(Object.keys(seen.from), 'the application sees its true client').to.deep.equal([addressOf('payments')]);
    expect(counts).to.include({ direct: before.direct, refused: before.refused });
    expect(pods.otherMarks).to.deep.equal([]);
    expect(bed.bed.exec('host', 'ipset', 'list', '-n'), 'sets of iptables').to.not.include('clearmesh');
  });

  for (const { from, to } of ruleNames.flatMap((first) => ruleNames.map((second) => ({ from: first, to: second })))) {
    if (from === to) continue;

    it(`releases pods to direct connections that ${from} captured and it took over by ${to}`, async () => {
      await agent(from);
      await bed.kill();
      await agent(to);
      const asking = await startAsking(bed);
      label({});
      await bed.until(() => pods.logged('pod released') === 2, 'both pods to be released');
      expect((await seenBy(asking)).lost).to.deep.equal([]);
      for (const name of podNames) await bed.until(() => programsIn(bed, name).length === 0, `the rules of ${name} to go`);
      expect(asked('payments')).to.equal(addressOf('payments'));
    });

    it(`releases pods that ${from} captured and that it never captures itself, by ${to}`, async () => {
      await agent(from);
      await bed.kill();
      label({});
      await bed.agent('--rules', to);
      await bed.until(() => pods.logged('pod released') === 2, 'both pods to be released');
      for (const name of podNames) expect(programsIn(bed, name), name).to.deep.equal([]);
      expect(asked('payments')).to.equal(addressOf('payments'));
    });
  }

  it('does not take what plain iptables made for rules of another', async () => {
    const flavour = bed.bed.exec('host', 'iptables', '--version').includes('nf_tables') ? 'iptables-nft' : 'iptables-legacy';
    await agent('nft');
    await bed.kill();
    await agent('iptables');
    await expectOnly(flavour);
    await bed.kill();
    await agent(flavour);
    await expectOnly(flavour);
    expect(bed.log).to.not.match(/rules of another version|made anew/);
  });
});
