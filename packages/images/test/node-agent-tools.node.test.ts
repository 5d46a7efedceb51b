import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { RootFilesystem } from './root-filesystem.ts';
import type { Ran } from './root-filesystem.ts';

/** Every match and target that the agent writes, those of the probe rules among them. */
const script = `*raw
:CLEARMESH_TEST - [0:0]
-A CLEARMESH_TEST -p udp -m udp --dport 53 -m comment --comment "zone" -j CT --zone 1
COMMIT
*mangle
:CLEARMESH_TEST - [0:0]
-A CLEARMESH_TEST -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
-A CLEARMESH_TEST -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark
COMMIT
*nat
:CLEARMESH_TEST - [0:0]
-A CLEARMESH_TEST -p tcp -m multiport ! --dports 15001,15006 -m tcp --syn -j REDIRECT --to-ports 15006
-A CLEARMESH_TEST -p tcp -m owner --socket-exists -m set --match-set probes dst -j SNAT --to-source SOURCE
COMMIT
*filter
:CLEARMESH_TEST - [0:0]
-A CLEARMESH_TEST -s SOURCE -m iprange --dst-range SOURCE-SOURCE -j ACCEPT
-A CLEARMESH_TEST -p tcp -m tcp --syn -j REJECT --reject-with tcp-reset
COMMIT
`;

/** A list of commands, each an array of words with what it reads, in one network namespace: what each said, and its status. */
const runAll = `
import { spawnSync } from 'node:child_process';
for (const { input, command: [program, ...args] } of JSON.parse(process.argv[1])) {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8' });
  console.log('RAN', program, ...args, '=>', status, stderr.trim(), '\\n' + stdout);
}
`;

type Step = { readonly command: readonly string[]; readonly input?: string };

describe('the programs in the image of the node agent', function () {
  this.timeout(120_000);
  let root: RootFilesystem;
  before(async () => {
    root = await RootFilesystem.of('node-agent');
  });
  after(() => root[Symbol.asyncDispose]());

  /** In the image, and in a network namespace that nothing was done in before. */
  const sequence = async (steps: readonly Step[]): Promise<string> => {
    const command = ['/usr/local/bin/node', '--input-type=module', '-e', runAll, JSON.stringify(steps)];
    const { stdout, stderr } = await root.run(command, { PATH: '/usr/local/bin:/usr/sbin:/usr/bin' });
    return `${stdout}${stderr}`;
  };
  const failures = (told: string): readonly string[] => told.match(/^RAN .*=> (?!0 ).*$/gm) ?? [];

  const families = [
    { family: 4, source: '169.254.7.127', set: 'inet' },
    { family: 6, source: 'fd16::1', set: 'inet6' },
  ] as const;
  for (const flavour of ['iptables', 'iptables-nft', 'iptables-legacy']) {
    for (const { family, source, set } of families) {
      const program = family === 6 ? flavour.replace('iptables', 'ip6tables') : flavour;
      it(`make rules with every match and target of the agent by ${program}, and show them`, async () => {
        const input = script.replaceAll('SOURCE', source);
        const told = await sequence([
          { command: ['ipset', 'create', 'probes', 'hash:ip', 'family', set] },
          { command: ['ipset', 'add', 'probes', source] },
          { command: ['ipset', 'list'] },
          { command: [`${program}-restore`, '--test', '--noflush', '-w', '5'], input },
          { command: [`${program}-restore`, '--noflush', '-w', '5'], input },
          { command: [program, '-t', 'mangle', '-L', '-n'] },
          { command: [`${program}-save`] },
        ]);
        expect(failures(told)).to.deep.equal([]);
        expect(told).to.match(/^Members:\n(169\.254\.7\.127|fd16::1)$/m);
        expect(told).to.match(/^Chain CLEARMESH_TEST \(0 references\)/m);
        const made = input.split('\n').filter((line) => line.startsWith('-A'));
        expect(told.split('\n').filter((line) => line.startsWith('-A'))).to.have.length(made.length);
        expect(told).to.contain('--to-ports 15006').and.to.contain('--match-set probes dst').and.to.contain('--socket-exists');
      });
    }

    it(`serve the agent itself, told to use ${flavour}`, async () => {
      const { status, stderr, stdout } = await uninstall(root, flavour);
      expect(`${stderr}${stdout}`).to.contain(`rules are made\tby="${flavour}"`).and.to.contain('uninstalled');
      expect(status).to.equal(0);
    });
  }

  it('are nft for the agent that is told nothing', async () => {
    const { status, stderr, stdout } = await uninstall(root, 'auto');
    expect(`${stderr}${stdout}`).to.contain('rules are made\tby="nft"');
    expect(status).to.equal(0);
  });
});

/** The one command of the agent that needs no cluster: it looks for a program that works, and takes the node's rules away by it. */
async function uninstall(root: RootFilesystem, rules: string): Promise<Ran> {
  for (const folder of ['bin', 'net.d']) await mkdir(join(root.path, 'tmp', folder), { recursive: true });
  const folders = ['--cni-bin-dir', '/tmp/bin', '--cni-conf-dir', '/tmp/net.d'];
  return root.runMain(['uninstall', '--rules', rules, ...folders], { PATH: '/usr/local/bin:/usr/sbin:/usr/bin' });
}
