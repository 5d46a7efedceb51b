/** ServiceEntries, WorkloadEntries and EndpointSlices that are refused. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { objectText } from '../fixtures/manifest-text.ts';
import { problems, refuses } from './refusals.ts';

const port = { number: 443, name: 'tls', protocol: 'TLS' };
const entry = (spec: object): string =>
  objectText('ServiceEntry', 'fx', { hosts: ['fx.example'], ports: [port], resolution: 'STATIC', ...spec });
const machine = (spec: object): string => objectText('WorkloadEntry', 'vm', spec);

describe('a ServiceEntry', () => {
  it('is accepted with whatever Istio allows', () => {
    for (const hosts of [['fx.example'], ['*.fx.example'], ['FX.example', 'single']])
      expect(problems(entry({ hosts }))).to.deep.equal([]);
    const all = {
      addresses: ['203.0.113.1', '203.0.113.64/28', 'fd00::/64'],
      location: 'MESH_EXTERNAL',
      exportTo: ['.'],
      subjectAltNames: ['fx.example'],
      endpoints: [{ address: '198.51.100.1', ports: { tls: 8443 }, labels: {}, network: 'n', locality: 'a/b/c', weight: 3 }],
    };
    expect(problems(entry(all))).to.deep.equal([]);
    expect(problems(entry({ resolution: 'DNS', endpoints: [{ address: 'a.example' }] }))).to.deep.equal([]);
  });

  refuses([
    ['no hosts', entry({ hosts: [] }), 'spec.hosts', /empty/, /host/],
    ['a host with a path', entry({ hosts: ['fx.example/x'] }), 'spec.hosts[0] "fx.example/x"', /DNS name/, /partner\.example/],
    ['a wildcard in the middle', entry({ hosts: ['fx.*.example'] }), 'spec.hosts[0] "fx.*.example"', /DNS name/, /partner/],
    ['an address that is none', entry({ addresses: ['203.0.113'] }), 'spec.addresses[0] "203.0.113"', /block/, /203/],
    ['a mistyped field', entry({ adresses: [] }), 'spec.adresses []', /not a known field/, /addresses\?/],
    [
      'two ports of one name',
      entry({ ports: [port, { ...port, number: 80 }] }),
      'spec.ports[1].name "tls"',
      /another port too/,
      /of its own/,
    ],
    [
      'endpoints beside a selector',
      entry({ workloadSelector: { labels: { app: 'a' } }, endpoints: [{ address: '198.51.100.1' }] }),
      'spec.endpoints',
      /beside a workloadSelector/,
      /one of the two/,
    ],
    [
      'endpoints of resolution NONE',
      entry({ resolution: 'NONE', endpoints: [{ address: '198.51.100.1' }] }),
      'spec.endpoints',
      /NONE/,
      /STATIC/,
    ],
    [
      'a name where addresses are static',
      entry({ endpoints: [{ address: 'a.example' }] }),
      'spec.endpoints[0].address "a.example"',
      /IP address with resolution STATIC/,
      /DNS/,
    ],
    [
      'an account that would be another identity',
      entry({ endpoints: [{ address: '198.51.100.1', serviceAccount: 'a/b' }] }),
      'spec.endpoints[0].serviceAccount "a/b"',
      /ServiceAccount/,
      /lower-case/,
    ],
  ]);
});

describe('a WorkloadEntry', () => {
  it('is accepted with an address, a name, or neither', () => {
    for (const address of ['198.51.100.1', 'fd00::1', 'core.bank.example', ''])
      expect(problems(machine({ address }))).to.deep.equal([]);
    expect(problems(machine({ network: 'branch' }))).to.deep.equal([]);
  });

  refuses([
    ['a mistyped address', machine({ address: '10.0.0.300' }), 'spec.address "10.0.0.300"', /neither an IP/, /DNS name/],
    ['a socket of its machine', machine({ address: 'unix:///x' }), 'spec.address "unix:///x"', /neither an IP/, /DNS name/],
    ['a mistyped field', machine({ serviceAcount: 'a' }), 'spec.serviceAcount "a"', /not a known field/, /serviceAccount\?/],
  ]);
});
