import { NetworkNamespace } from '@clearmesh/linux/netns';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { HostProbes } from '../../src/probe/host-probes.ts';
import { hasProbeSets, iptablesProbes } from '../../src/probe/iptables-probes.ts';
import { nftProbes } from '../../src/probe/nft-probes.ts';
import type { ProbeBackend } from '../../src/probe/probe-backend.ts';
import type { Execute } from '../../src/redirect/execute.ts';

const never = new AbortController().signal;

/** A set of addresses, which may be made to fail. */
class AddressBook implements ProbeBackend {
  readonly ips = new Set<string>(['10.0.0.99']);
  isBroken = false;

  async install(): Promise<void> {}
  async uninstall(): Promise<void> {}
  async add(ips: readonly string[]): Promise<void> {
    if (this.isBroken) throw new Error('busy');
    for (const ip of ips) this.ips.add(ip);
  }
  async remove(ips: readonly string[]): Promise<void> {
    for (const ip of ips) this.ips.delete(ip);
  }
  async replace(ips: readonly string[]): Promise<void> {
    this.ips.clear();
    await this.add(ips);
  }
}

describe('HostProbes', () => {
  let backend: AddressBook;
  let probes: HostProbes;
  beforeEach(() => {
    backend = new AddressBook();
    probes = new HostProbes({ backend });
  });

  const addresses = (): readonly string[] => [...backend.ips].sort();

  it('leaves the addresses of an earlier agent until it knows its own', async () => {
    await probes.add('a', ['10.0.0.1'], never);
    expect(addresses()).to.deep.equal(['10.0.0.1', '10.0.0.99']);
    await probes.settle(never);
    expect(addresses()).to.deep.equal(['10.0.0.1']);
  });

  it('gives a pod its new addresses in place of the old ones', async () => {
    await probes.add('a', ['10.0.0.1', 'fd00::1'], never);
    await probes.add('a', ['10.0.0.2', 'fd00::1'], never);
    expect(addresses()).to.deep.equal(['10.0.0.2', '10.0.0.99', 'fd00::1']);
  });

  it('takes nothing from the successor of a pod that goes late', async () => {
    await probes.add('a', ['10.0.0.1'], never);
    await probes.add('b', ['10.0.0.1'], never);
    await probes.remove('a', never);
    expect(addresses()).to.include('10.0.0.1');
    await probes.remove('b', never);
    expect(addresses()).to.not.include('10.0.0.1');
  });

  it('goes on after an operation that failed', async () => {
    backend.isBroken = true;
    const failing = probes.add('a', ['10.0.0.1'], never);
    const next = probes.remove('b', never);
    expect(await failing.catch((error: Error) => error.message)).to.equal('busy');
    await next;
    backend.isBroken = false;
    await probes.add('a', ['10.0.0.1'], never);
    expect(addresses()).to.include('10.0.0.1');
  });
});

describe('rules of the node', () => {
  const sources = { v4: '169.254.7.127', v6: 'fd16::1' };
  let host: NetworkNamespace;
  let said: string[];
  let saved = '';
  const execute: Execute = async (_namespace, command, input) => {
    said.push(`${command.join(' ')}\n${input}`);
    return command[0].endsWith('-save') ? saved : 'other\nclearmesh-probes-v4\n';
  };

  beforeEach(() => {
    host = NetworkNamespace.current();
    said = [];
    saved = '';
  });
  afterEach(() => host[Symbol.dispose]());

  it('are said to nft by family; nothing is said of no address', async () => {
    const backend = nftProbes({ host, sources }, { execute });
    await backend.add(['10.0.0.1', 'fd00::1', '10.0.0.2'], never);
    await backend.add([], never);
    await backend.replace(['10.0.0.1'], never);
    expect(said).to.deep.equal([
      'nft -f -\nadd element inet clearmesh-host probes-v4 { 10.0.0.1, 10.0.0.2 }\nadd element inet clearmesh-host probes-v6 { fd00::1 }\n',
      'nft -f -\nflush set inet clearmesh-host probes-v4\nadd element inet clearmesh-host probes-v4 { 10.0.0.1 }\nflush set inet clearmesh-host probes-v6\n',
    ]);
  });

  it('are said to iptables once, in front of others, however often', async () => {
    const backend = iptablesProbes({ host, sources, flavour: 'iptables', ipv6: false }, { execute });
    await backend.install(never);
    expect(said.at(-1)).to.include('iptables-restore --noflush').and.include('-I POSTROUTING 1 -j CLEARMESH_POSTRT');
    expect(said.at(-1)).to.not.include('-D POSTROUTING');
    saved = '*nat\n:CLEARMESH_POSTRT - [0:0]\n-A POSTROUTING -j CLEARMESH_POSTRT\nCOMMIT\n';
    await backend.install(never);
    expect(said.at(-1)).to.match(/-D POSTROUTING -j CLEARMESH_POSTRT\n-I POSTROUTING 1/);
    await backend.uninstall(never);
    expect(said.at(-2)).to.include('-X CLEARMESH_POSTRT');
    expect(said.at(-1)).to.include('destroy clearmesh-probes-v6');
  });

  it('of iptables tell later agents that they are there', async () => {
    expect(await hasProbeSets(host, execute, never)).to.equal(true);
    expect(await hasProbeSets(host, async () => '', never)).to.equal(false);
  });
});
