import { readFileSync } from 'node:fs';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { guardScript, installScript, removeScript } from '../../src/redirect/nft-script.ts';
import { podTables } from '../../src/redirect/pod-rules.ts';
import type { Redirection } from '../../src/redirect/redirection.ts';

const golden = (name: string): string => readFileSync(new URL(`golden/${name}.nft`, import.meta.url), 'utf8');

const scripts: readonly { name: string; redirection: Redirection }[] = [
  { name: 'default', redirection: {} },
  { name: 'dns-capture', redirection: { dnsCapture: true } },
  { name: 'virtual-interfaces', redirection: { virtualInterfaces: ['br0', 'tap-1'] } },
  { name: 'bypass-inbound', redirection: { inboundCapture: false } },
  { name: 'ipv4-only', redirection: { ipv6: false, probeV4: '169.254.9.9' } },
];

describe('the redirection inside a pod', () => {
  for (const { name, redirection } of scripts) {
    it(`is the text of golden/${name}.nft`, () => {
      expect(installScript(redirection)).to.equal(golden(name));
    });
  }

  for (const { name, redirection } of scripts.filter(({ name }) => ['default', 'bypass-inbound', 'ipv4-only'].includes(name))) {
    it(`is guarded by the text of golden/guard-${name}.nft`, () => {
      expect(guardScript(redirection, 'reject')).to.equal(golden(`guard-${name}`));
    });
  }

  it('drops with the same guard while the redirection is installed (G2)', () => {
    const rejecting = guardScript({}, 'reject');
    expect(guardScript({}, 'drop')).to.equal(rejecting.replaceAll('reject with tcp reset', 'drop'));
  });

  it('is removed by the text of golden/remove.nft', () => {
    expect(removeScript()).to.equal(golden('remove'));
  });

  const rowsOf = (table: string, chain: string, redirection: Redirection): readonly string[] => {
    const rules =
      podTables(redirection)
        .find(({ name }) => name === table)
        ?.chains.find(({ name }) => name === chain)?.rules ?? [];
    return rules.filter(({ family }) => family !== 6).map(({ row }) => row);
  };

  it('has the rows of nat OUTPUT in the contract’s order (l4-contract section 6)', () => {
    expect(rowsOf('istio-ambient-nat', 'output', { dnsCapture: true })).to.deep.equal([
      'answer to a probe',
      'DNS over UDP',
      'DNS over TCP',
      'reply to the proxy',
      'call to an own address',
      'outbound',
    ]);
  });

  it('has the rows of nat PREROUTING in the contract’s order, virtual interfaces first', () => {
    expect(rowsOf('istio-ambient-nat', 'prerouting', { virtualInterfaces: ['br0'] })).to.deep.equal([
      'from a virtual interface',
      'from a virtual interface',
      'probe goes straight to the application',
      'inbound',
    ]);
  });

  it('touches no DNS unless asked', () => {
    expect(installScript({})).to.not.match(/dport 53|sport 53|15053/);
  });

  it('names no IPv6 without IPv6', () => {
    expect(installScript({ ipv6: false, dnsCapture: true })).to.not.match(/ip6|ipv6/);
  });

  for (const redirection of [{ virtualInterfaces: ['x" accept #'] }, { probeV4: '1.1.1.1 accept' }, { probeV6: '' }]) {
    it(`refuses ${JSON.stringify(redirection)} as rule text`, () => {
      expect(() => installScript(redirection)).to.throw(MeshError, 'MESH-REDIRECT-001');
    });
  }
});
