/** The agent is replaced by one that makes its rules with another program, under a client that asks without end. */
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AgentBed, addressOf } from './agent-bed.ts';
import { seenBy, server, startAsking } from './asking-client.ts';
import type { BackendName } from './redirect/backends.ts';
import { programsIn, ruleNames } from './rule-programs.ts';
import { TunnellingProxy } from './tunnelling-proxy.ts';

const pods = ['ledger', 'payments'] as const;
const redirection = 'ambient.istio.io/redirection';
const ask = `fetch('http://${addressOf('ledger')}:8080').then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))`;

describe('an agent that makes its rules with another program than the one before', function () {
  this.timeout(90_000);
  let bed: AgentBed;
  let proxy: TunnellingProxy | undefined;
  /** Every annotation that was written. */
  let said: string[];
  let inMesh: Set<string>;
  const socket = (): string => join(bed.directory, 'zds.sock');
  const logged = (what: string): number => bed.log.split(what).length - 1;
  const label = (labels: Readonly<Record<string, string>>): void =>
    bed.kube.put('namespaces', { metadata: { name: 'bank', labels } });
  const asked = (from: 'payments' | 'host'): string => bed.bed.exec(from, process.execPath, '-e', ask).trim();

  beforeEach(async () => {
    bed = await AgentBed.start();
    proxy = undefined;
    said = [];
    inMesh = new Set<string>();
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
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  /** Starts an agent and gives it the proxy. */
  async function agent(rules: string): Promise<TunnellingProxy> {
    await bed.agent('--rules', rules);
    const known = proxy;
    const dial = (): Promise<TunnellingProxy> => TunnellingProxy.dial(socket(), (ip) => inMesh.has(ip));
    proxy = await bed.dialled(() => (known === undefined ? dial() : known.redial(socket()).then(() => known)));
    await bed.until(() => logged('pod captured') === 2, 'both pods to be captured');
    return proxy;
  }

  /** The node and its pods have rules of this program alone. */
  async function expectOnly(rules: BackendName): Promise<void> {
    for (const name of pods) expect(programsIn(bed, name), name).to.deep.equal([rules]);
    await bed.until(() => programsIn(bed, 'host').length === 1, 'the former probe rules to go');
    expect(programsIn(bed, 'host')).to.deep.equal([rules]);
  }

  it('takes its pods over from one program after the other, and nothing is lost, nor said', async () => {
    const { counts } = await agent('nft');
    await expectOnly('nft');
    const asking = await startAsking(bed);
    const before = { ...counts };
    said = [];
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
    expect(said.filter((mark) => mark !== 'enabled')).to.deep.equal([]);
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
      await bed.until(() => logged('pod released') === 2, 'both pods to be released');
      expect((await seenBy(asking)).lost).to.deep.equal([]);
      for (const name of pods) await bed.until(() => programsIn(bed, name).length === 0, `the rules of ${name} to go`);
      expect(asked('payments')).to.equal(addressOf('payments'));
    });

    it(`releases pods that ${from} captured and that it never captures itself, by ${to}`, async () => {
      await agent(from);
      await bed.kill();
      label({});
      await bed.agent('--rules', to);
      await bed.until(() => logged('pod released') === 2, 'both pods to be released');
      for (const name of pods) expect(programsIn(bed, name), name).to.deep.equal([]);
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
