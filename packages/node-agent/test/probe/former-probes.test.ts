import { NetworkNamespace } from '@clearmesh/linux/netns';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { replacingFormerProbes } from '../../src/probe/former-probes.ts';
import type { ProbeBackend } from '../../src/probe/probe-backend.ts';
import type { Execute } from '../../src/redirect/execute.ts';

const never = new AbortController().signal;
const rules = '*nat\n:CLEARMESH_POSTRT - [0:0]\n-A POSTROUTING -j CLEARMESH_POSTRT\nCOMMIT\n';

describe('probe rules of an earlier agent by another program', () => {
  let host: NetworkNamespace;
  let said: string[];
  beforeEach(() => {
    host = NetworkNamespace.current();
    said = [];
  });
  afterEach(() => host[Symbol.dispose]());

  const execute: Execute = async (_, command, input) => {
    said.push(`${command.join(' ')} ${/delete table|-X CLEARMESH_POSTRT|destroy/.exec(input)?.[0] ?? ''}`.trim());
    if (command[0] === 'ipset') return 'clearmesh-probes-v4\n';
    return command[0] === 'iptables-legacy-save' ? rules : '';
  };
  const say = (what: string) => async (): Promise<void> => void said.push(what);
  const own: ProbeBackend = {
    install: say('install'),
    add: say('add'),
    remove: say('remove'),
    replace: say('replace'),
    uninstall: say('uninstall'),
  };

  it('stay until all addresses are in the new ones (F1), and are asked for in no way that makes a table', async () => {
    const others = [
      { program: 'iptables-nft', families: [4] },
      { program: 'iptables-legacy', families: [4, 6] },
    ] as const;
    const probes = replacingFormerProbes(own, { host, others, dropsSets: true }, { execute });
    await probes.install(never);
    await probes.add(['10.0.0.1'], never);
    await probes.remove(['10.0.0.1'], never);
    expect(said).to.deep.equal(['install', 'add', 'remove']);
    await probes.replace([], never);
    expect(said.slice(3)).to.deep.equal([
      'replace',
      'iptables-nft-save',
      'iptables-legacy-save',
      'iptables-legacy-restore --noflush -w 5 -X CLEARMESH_POSTRT',
      'ip6tables-legacy-save',
      'ipset list -n',
      'ipset restore -exist destroy',
    ]);
  });

  it('go before the new ones where all is uninstalled, and leave the sets to those that use them (F2)', async () => {
    const others = [
      { program: 'nft', families: [4, 6] },
      { program: 'iptables-legacy', families: [4] },
    ] as const;
    const probes = replacingFormerProbes(own, { host, others, dropsSets: false }, { execute });
    await probes.uninstall(never);
    expect(said).to.deep.equal([
      'nft -f - delete table',
      'iptables-legacy-save',
      'iptables-legacy-restore --noflush -w 5 -X CLEARMESH_POSTRT',
      'uninstall',
    ]);
  });
});
