import { expect } from 'chai';
import { describe, it } from 'mocha';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { resolveName } from '../../src/dns/resolve-name.ts';
import type { NamingOptions } from '../../src/dns/resolve-name.ts';

const headless = { addresses: [], ports: { 80: 8080 } } as const;
const external = (hostname: string, ip: string, rest: Partial<Service> = {}): Service =>
  service({ name: hostname, hostname, addresses: [ip], canonical: false, ...rest });

const services: readonly Service[] = [
  service({ name: 'ledger', addresses: ['10.96.0.1', 'fd96::1'] }),
  service({ name: 'ledger', namespace: 'pay', addresses: ['10.96.0.2'] }),
  service({ name: 'risk', namespace: 'pay', addresses: ['10.96.0.3'] }),
  service({ name: 'v4-only', addresses: ['10.96.0.4', 'fd96::4'], ipFamilies: 'IPV4_ONLY' }),
  service({ name: 'v6-only', addresses: ['10.96.0.5', 'fd96::5'], ipFamilies: 'IPV6_ONLY' }),
  service({ name: 'far', addresses: ['net-2/10.96.0.6'] }),
  service({ name: 'both-nets', addresses: ['net-2/10.96.0.7', '10.96.0.8'] }),
  service({ name: 'many', addresses: ['10.96.1.1', '10.96.1.2', '10.96.1.3'] }),
  service({ name: 'secret', namespace: 'pay', addresses: ['10.96.0.9'], visibility: 'NAMESPACE' }),
  service({ name: 'own-secret', addresses: ['10.96.0.10'], visibility: 'NAMESPACE' }),
  service({ name: 'pods', ...headless }),
  service({
    name: 'all-pods',
    ...headless,
    loadBalancing: { routingPreference: [], mode: 'UNSPECIFIED', healthPolicy: 'ALLOW_ALL' },
  }),
  service({ name: 'nobody', ...headless }),
  service({ name: 'svc', namespace: 'pay', addresses: ['10.96.0.11'] }),
  external('api.example.com', '240.240.0.1'),
  external('*.wild.example', '240.240.0.2'),
  external('*.deep.wild.example', '240.240.0.3'),
  external('exact.wild.example', '240.240.0.4'),
  external('block.example.com', '10.0.0.0/8'),
  external('nowhere.example.com', '240.240.0.5', { addresses: [] }),
  external('shared.example.com', '240.240.1.1', { namespace: 'first' }),
  external('shared.example.com', '240.240.1.2', { namespace: 'preferred' }),
  external('crowned.example.com', '240.240.2.1', { namespace: 'preferred' }),
  external('crowned.example.com', '240.240.2.2', { namespace: 'king', canonical: true }),
  external('mine.example.com', '240.240.3.1', { namespace: 'king', canonical: true }),
  external('mine.example.com', '240.240.3.2', { namespace: 'bank' }),
  external('half.example.com', '240.240.4.1', { namespace: 'first', visibility: 'NAMESPACE' }),
  external('half.example.com', '240.240.4.2', { namespace: 'second' }),
];
const endpoint = (name: string, addresses: readonly string[], of: readonly string[], rest: Partial<Workload> = {}): Workload =>
  workload({
    name,
    services: Object.fromEntries(of.map((host) => [`bank/${host}.bank.svc.cluster.local`, {}])),
    ...rest,
    addresses,
  });
const workloads: readonly Workload[] = [
  endpoint('pod-1', ['10.0.1.1', 'fd00::1'], ['pods', 'all-pods']),
  endpoint('pod-2', ['10.0.1.2', '10.0.2.2'], ['pods', 'all-pods']),
  endpoint('pod-3', ['10.0.1.3'], ['pods', 'all-pods'], { status: 'UNHEALTHY' }),
  endpoint('pod-4', ['10.0.1.4'], ['pods', 'all-pods'], { network: 'net-2' }),
  workload({ name: 'vm', addresses: ['10.0.5.1'], hostname: 'vm.example.com' }),
  workload({ name: 'named', addresses: [], hostname: 'named.example.com' }),
  workload({ name: 'far-vm', addresses: ['10.0.5.2'], hostname: 'far-vm.example.com', network: 'net-2' }),
];
const snapshot = snapshotOf({ services, workloads });
const client = workload({ name: 'client', namespace: 'bank' });
const options: NamingOptions = { clusterDomain: 'cluster.local', preferredNamespace: 'preferred', ipv6: true };

function ask(name: string, family: 4 | 6 = 4, change: Partial<NamingOptions> = {}, asker: Workload = client): string {
  const found = resolveName({ name, family }, asker, snapshot, { ...options, ...change });
  if (found.kind === 'unknown') return 'unknown';
  return `${found.alias === undefined ? '' : `${found.alias} → `}${[...found.addresses].sort().join(' ')}`;
}

describe('the name of a service', () => {
  const cases: readonly [says: string, name: string, gives: string, family?: 4 | 6][] = [
    ['alone is of the client’s namespace', 'ledger', '10.96.0.1'],
    ['with its namespace', 'ledger.bank', '10.96.0.1'],
    ['with its namespace and svc', 'ledger.bank.svc', '10.96.0.1'],
    ['in full', 'ledger.bank.svc.cluster.local', '10.96.0.1'],
    ['in full, IPv6', 'ledger.bank.svc.cluster.local', 'fd96::1', 6],
    ['of another namespace', 'ledger.pay', '10.96.0.2'],
    ['of another namespace with svc', 'risk.pay.svc', '10.96.0.3'],
    ['of another namespace in full', 'risk.pay.svc.cluster.local', '10.96.0.3'],
    ['of another namespace alone is unknown', 'risk', 'unknown'],
    ['that is called svc, by namespace', 'svc.pay', '10.96.0.11'],
    ['outside the cluster', 'api.example.com', '240.240.0.1'],
    ['outside the cluster without IPv6 is empty, not unknown', 'api.example.com', '', 6],
    ['that nobody has is unknown', 'nothing', 'unknown'],
    ['of the mesh’s domain that nobody has is unknown', 'nothing.bank.svc.cluster.local', 'unknown'],
    ['of an outer domain that nobody has is unknown', 'www.example.org', 'unknown'],
    ['with all its addresses', 'many', '10.96.1.1 10.96.1.2 10.96.1.3'],
    ['for IPv4 only, asked for IPv4', 'v4-only', '10.96.0.4'],
    ['for IPv4 only, asked for IPv6, is empty', 'v4-only', '', 6],
    ['for IPv6 only, asked for IPv4, is empty', 'v6-only', ''],
    ['for IPv6 only, asked for IPv6', 'v6-only', 'fd96::5', 6],
    ['in another network is empty', 'far', ''],
    ['in two networks has the client’s', 'both-nets', '10.96.0.8'],
    ['hidden from the namespace is unknown', 'secret.pay', 'unknown'],
    ['shown to its own namespace only', 'own-secret', '10.96.0.10'],
    ['with a block of addresses only is unknown', 'block.example.com', 'unknown'],
    ['outside the cluster without address is unknown', 'nowhere.example.com', 'unknown'],
  ];
  for (const [says, name, gives, family] of cases) {
    it(`${says}: ${name}`, () => expect(ask(name, family)).to.equal(gives));
  }

  it('has no IPv6 address where IPv6 is off', () => {
    expect(ask('ledger', 6, { ipv6: false })).to.equal('');
    expect(ask('ledger', 4, { ipv6: false })).to.equal('10.96.0.1');
  });

  it('is of the cluster’s own domain', () => {
    expect(ask('ledger', 4, { clusterDomain: 'mesh.bank' })).to.equal('unknown');
  });

  it('means another service to a client of another namespace', () => {
    expect(ask('ledger', 4, {}, workload({ name: 'teller', namespace: 'pay' }))).to.equal('10.96.0.2');
  });
});

describe('a wildcard', () => {
  const cases: readonly [says: string, name: string, gives: string][] = [
    ['covers one label', 'a.wild.example', '240.240.0.2'],
    ['covers several', 'a.b.wild.example', '240.240.0.2'],
    ['gives way to a more specific one', 'a.deep.wild.example', '240.240.0.3'],
    ['gives way to the name itself', 'exact.wild.example', '240.240.0.4'],
    ['covers what is below a name that has its own', 'a.exact.wild.example', '240.240.0.2'],
    ['does not cover its own domain', 'wild.example', 'unknown'],
    ['is a name, too', '*.wild.example', '240.240.0.2'],
    ['covers a name with a search suffix', 'a.wild.example.bank.svc.cluster.local', 'a.wild.example → 240.240.0.2'],
  ];
  for (const [says, name, gives] of cases) it(`${says}: ${name}`, () => expect(ask(name)).to.equal(gives));
});

describe('a headless service', () => {
  const cases: readonly [says: string, name: string, gives: string, family?: 4 | 6][] = [
    ['has one address of each healthy endpoint of the client’s network', 'pods', '10.0.1.1 10.0.1.2'],
    ['has the IPv6 addresses there are', 'pods', 'fd00::1', 6],
    ['that takes all has the unhealthy ones, too', 'all-pods', '10.0.1.1 10.0.1.2 10.0.1.3'],
    ['without endpoints is empty', 'nobody', ''],
  ];
  for (const [says, name, gives, family] of cases) it(says, () => expect(ask(name, family)).to.equal(gives));
});

describe('a hostname of several namespaces', () => {
  const cases: readonly [says: string, name: string, gives: string][] = [
    ['is the one of the client’s namespace', 'mine.example.com', '240.240.3.2'],
    ['is the canonical one before the preferred one', 'crowned.example.com', '240.240.2.2'],
    ['is the one of the preferred namespace', 'shared.example.com', '240.240.1.2'],
    ['is one that the client may see', 'half.example.com', '240.240.4.2'],
  ];
  for (const [says, name, gives] of cases) it(says, () => expect(ask(name)).to.equal(gives));

  it('is the first when nothing else decides', () => {
    expect(ask('shared.example.com', 4, { preferredNamespace: '' })).to.equal('240.240.1.1');
  });
});

describe('a search suffix', () => {
  const cases: readonly [says: string, name: string, gives: string][] = [
    ['of the namespace is an alias', 'api.example.com.bank.svc.cluster.local', 'api.example.com → 240.240.0.1'],
    ['of the services is an alias', 'api.example.com.svc.cluster.local', 'api.example.com → 240.240.0.1'],
    ['of the cluster is an alias', 'api.example.com.cluster.local', 'api.example.com → 240.240.0.1'],
    ['behind a short name is an alias of that', 'ledger.bank.bank.svc.cluster.local', 'ledger.bank → 10.96.0.1'],
    ['of another namespace is none', 'api.example.com.pay.svc.cluster.local', 'unknown'],
    ['is taken off once', 'api.example.com.cluster.local.cluster.local', 'unknown'],
    ['alone is unknown', 'bank.svc.cluster.local', 'unknown'],
  ];
  for (const [says, name, gives] of cases) it(`${says}: ${name}`, () => expect(ask(name)).to.equal(gives));
});

describe('the name of a workload', () => {
  const cases: readonly [says: string, name: string, gives: string, family?: 4 | 6][] = [
    ['has its addresses', 'vm.example.com', '10.0.5.1'],
    ['has none of the other family', 'vm.example.com', '', 6],
    ['without address is unknown, for another resolver to tell', 'named.example.com', 'unknown'],
    ['in another network is unknown', 'far-vm.example.com', 'unknown'],
  ];
  for (const [says, name, gives, family] of cases) it(says, () => expect(ask(name, family)).to.equal(gives));
});
