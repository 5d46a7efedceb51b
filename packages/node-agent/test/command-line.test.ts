import { expect } from 'chai';
import { afterEach, describe, it } from 'mocha';
import { parseCommandLine } from '../src/command-line.ts';
import type { CommandLine } from '../src/command-line.ts';

function parse(...args: readonly string[]): CommandLine {
  return parseCommandLine(args, () => {});
}

function run(...args: readonly string[]): Extract<CommandLine, { readonly kind: 'run' }> {
  const line = parse('run', '--node', 'n1', ...args);
  if (line.kind !== 'run') throw new Error(line.kind === 'wrong' ? line.error.message : line.kind);
  return line;
}

describe('the command line', () => {
  afterEach(() => {
    for (const name of ['NODE_NAME', 'SETTLE_MILLISECONDS', 'EXCLUDE_NAMESPACES']) delete process.env[name];
  });

  it('has a default for everything but the node', () => {
    const { options, kubeconfig, log } = run();
    expect(options).to.deep.include({
      node: 'n1',
      systemNamespace: 'clearmesh-system',
      daemonSet: 'clearmesh-node-agent',
      excludedNamespaces: ['kube-system'],
      pluginSocket: '/var/run/clearmesh/cni/plugin.sock',
      handoverSocket: '/var/run/ztunnel/ztunnel.sock',
      healthPort: 15_022,
      dnsCapture: false,
      verifyMs: 600_000,
      settleMs: 1_000,
      rules: 'auto',
      ipv6: true,
    });
    expect([kubeconfig, log]).to.deep.equal([undefined, { format: 'plain', level: 'info' }]);
    expect(parse('run').kind).to.equal('wrong');
  });

  it('takes the environment where a flag is missing', () => {
    Object.assign(process.env, { NODE_NAME: 'n2', SETTLE_MILLISECONDS: '250', EXCLUDE_NAMESPACES: 'a, b,' });
    const line = parse('run');
    expect(line.kind === 'run' && line.options).to.deep.include({ node: 'n2', settleMs: 250, excludedNamespaces: ['a', 'b'] });
    expect(run('--settle-milliseconds', '0').options.settleMs).to.equal(0);
  });

  it('brings DNS to ztunnel when told to', () => {
    expect(run('--dns-capture', 'true').options.dnsCapture).to.equal(true);
  });

  it('uninstalls with as little as it needs', () => {
    const line = parse('uninstall', '--cni-bin-dir', '/b');
    expect(line.kind === 'uninstall' && line.options).to.deep.include({ cniBinDir: '/b', cniConfDir: '/host/etc/cni/net.d' });
  });

  for (const args of [
    ['--settle-milliseconds', '60001'],
    ['--settle-milliseconds', '1.5'],
    ['--verify-seconds', '0'],
    ['--health-port', '70000'],
    ['--host-probe-ipv4', 'fd00::1'],
    ['--host-probe-ipv6', '10.0.0.1'],
    ['--ipv6', 'yes'],
    ['--rules', 'pf'],
    ['--dns-capture', 'yes'],
    ['--fly'],
  ]) {
    it(`refuses ${args.join(' ')}, and says so`, () => {
      const line = parse('run', '--node', 'n1', ...args);
      expect(line.kind).to.equal('wrong');
      expect(line.kind === 'wrong' && line.error.explain()).to.include(args[0]);
    });
  }

  it('tells what it can do when asked, and that nothing was asked of it', () => {
    const said: string[] = [];
    expect(parseCommandLine(['run', '--help'], (text) => said.push(text))).to.deep.equal({ kind: 'told' });
    expect(said.join('')).to.include('--settle-milliseconds');
    expect(parse().kind).to.equal('wrong');
  });
});
