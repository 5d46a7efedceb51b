import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { serviceRules } from '../../src/topology/service-rules.ts';

const endpoint = (ip: string, port = 8080): { ip: string; port: number } => ({ ip, port });

describe('serviceRules', () => {
  it('replaces the table before in one transaction', () => {
    expect(serviceRules([]).split('\n').slice(0, 3)).to.deep.equal([
      'table ip clearmesh-services {}',
      'delete table ip clearmesh-services',
      'table ip clearmesh-services {',
    ]);
  });

  it('spreads connections over the endpoints at random', () => {
    const rules = serviceRules([
      { vip: '10.96.0.10', port: 80, endpoints: [endpoint('10.244.1.2'), endpoint('10.244.2.2', 9090)] },
    ]);
    expect(rules).to.include(
      'ip daddr 10.96.0.10 tcp dport 80 dnat ip to numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.2.2 . 9090 }',
    );
  });

  it('resets connections to a service without endpoints', () => {
    const rules = serviceRules([{ vip: '10.96.0.10', port: 80, endpoints: [] }]);
    expect(rules).to.include('ip daddr 10.96.0.10 tcp dport 80 reject with tcp reset').and.not.include('dnat');
  });

  it('hides a pod from itself, once for all its services', () => {
    const service = { port: 80, endpoints: [endpoint('10.244.1.2')] };
    const rules = serviceRules([
      { vip: '10.96.0.10', ...service },
      { vip: '10.96.0.11', ...service },
    ]);
    expect(rules.split('ip saddr 10.244.1.2 ip daddr 10.244.1.2 ct status dnat masquerade')).to.have.length(2);
  });

  for (const [what, vip, port, target] of [
    ['a VIP that is more than an address', '10.96.0.1; flush ruleset', 80, endpoint('10.244.1.2')],
    ['an IPv6 VIP', 'fd00::1', 80, endpoint('10.244.1.2')],
    ['a VIP that is not in canonical form', '010.96.0.1', 80, endpoint('10.244.1.2')],
    ['port 0', '10.96.0.1', 0, endpoint('10.244.1.2')],
    ['a port that is no whole number', '10.96.0.1', 80.5, endpoint('10.244.1.2')],
    ['an endpoint port above 65535', '10.96.0.1', 80, endpoint('10.244.1.2', 65536)],
    ['an endpoint that is a name', '10.96.0.1', 80, endpoint('ledger')],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => serviceRules([{ vip, port, endpoints: [target] }]))
        .to.throw(MeshError)
        .with.property('code', 'MESH-CONFIG-003');
    });
  }
});
