import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parse } from 'yaml';
import { cniConfig, containerdConfig, kubeProxyConfig, kubeletConfig } from '../../src/node/configuration.ts';
import { dnsServiceIp, nodes } from '../../src/plan.ts';
import { dnsManifests } from '../../src/system/dns.ts';

type Parsed = Record<string, unknown>;
const [vaultA, vaultB] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];

describe('the configuration of a node', () => {
  it('keeps the control groups of two kubelets apart', () => {
    const roots = nodes.map((node) => (parse(kubeletConfig(node)) as Parsed)['cgroupRoot']);
    expect(roots).to.deep.equal(['/clearmesh-cluster/vault-a', '/clearmesh-cluster/vault-b']);
  });

  it('lets nobody talk to a kubelet without a certificate or a token', () => {
    const config = parse(kubeletConfig(vaultA)) as Parsed;
    expect(config).to.deep.include({ authorization: { mode: 'Webhook' } });
    expect(config['authentication']).to.deep.include({ anonymous: { enabled: false } });
  });

  it('points pods to the address that the DNS service has', () => {
    const services = (JSON.parse(dnsManifests()) as { items: { kind: string; spec?: Parsed }[] }).items;
    expect((parse(kubeletConfig(vaultA)) as Parsed)['clusterDNS']).to.deep.equal([dnsServiceIp]);
    expect(services.find(({ kind }) => kind === 'Service')?.spec).to.include({ clusterIP: dnsServiceIp });
  });

  it('gives pods addresses of their node, which nobody translates', () => {
    const { plugins } = JSON.parse(cniConfig(vaultB)) as { plugins: Parsed[] };
    expect(plugins.map(({ type }) => type)).to.deep.equal(['bridge', 'portmap']);
    expect(plugins[0]).to.include({ ipMasq: false, hairpinMode: true });
    expect(plugins[0]!['ipam']).to.deep.include({ ranges: [[{ subnet: '10.244.2.0/24' }]] });
  });

  it('leaves the kernel’s connection table to the machine around', () => {
    const { conntrack } = parse(kubeProxyConfig(vaultA)) as { conntrack: Parsed };
    expect(conntrack).to.include({ maxPerCore: 0, min: 0 });
  });

  it('asks containerd for nothing that root of a container may not do', () => {
    expect(containerdConfig()).to.include('restrict_oom_score_adj = true');
  });
});
