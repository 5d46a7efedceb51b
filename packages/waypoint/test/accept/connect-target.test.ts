import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { connectTarget } from '../../src/accept/connect-target.ts';
import type { Bindings } from '../../src/accept/connect-target.ts';
import { boundService } from '../bound-service.ts';

const ledger = service({ name: 'ledger', addresses: ['10.96.0.20'], ports: { 8080: 8081 } });
const other = service({ name: 'other', addresses: ['10.96.0.30'], ports: { 80: 80 } });
const ledgerPod = workload({ name: 'ledger-0', addresses: ['10.0.0.2'], services: { [ledger.key]: { 8080: 8081 } } });
const otherPod = workload({ name: 'other-0', addresses: ['10.0.0.3'], services: { [other.key]: { 80: 80 } } });
const snapshot = snapshotOf({ services: [ledger, other], workloads: [ledgerPod, otherPod] });

function bindings(services: readonly BoundService[], workloads: readonly string[] = []): Bindings {
  return {
    service: (key) => services.find((bound) => bound.key === key),
    isBoundWorkload: (uid) => workloads.includes(uid),
  };
}

describe('connectTarget (control-plane-contract section 4.1)', () => {
  const bound = bindings([boundService({ key: ledger.key, ports: [{ port: 8080, protocol: 'HTTP11' }] })]);

  it('takes the VIP and declared port of a bound service', () => {
    const target = connectTarget('10.96.0.20:8080', snapshot, bound, '');
    expect(target).to.deep.include({ kind: 'target', protocol: 'HTTP11' });
    if (target.kind === 'target') expect(target.called).to.deep.include({ key: ledger.key, port: 8080, namespace: 'bank' });
  });

  it('takes the name of a bound service, as callers of another network ask for it', () => {
    const target = connectTarget('ledger.bank.svc.cluster.local:8080', snapshot, bound, '');
    expect(target).to.deep.include({ kind: 'target', protocol: 'HTTP11' });
    if (target.kind === 'target')
      expect(target.called).to.deep.include({ key: ledger.key, port: 8080, address: { ip: '10.96.0.20', port: 8080 } });
  });

  it('prefers the address in its own network for policies that name addresses, and needs one', () => {
    const addressed = (...addresses: readonly string[]): unknown => {
      const two = service({ name: 'ledger', addresses, ports: { 8080: 8081 } });
      const target = connectTarget('ledger.bank.svc.cluster.local:8080', snapshotOf({ services: [two] }), bound, 'west');
      return target.kind === 'target' ? target.called.address.ip : target.status;
    };
    expect(addressed('east/10.96.0.1', 'west/10.96.0.2')).to.equal('10.96.0.2');
    expect(addressed('east/10.96.0.1')).to.equal('10.96.0.1');
    expect(addressed('west/10.96.0.0/24')).to.equal(503);
  });

  const refused: readonly (readonly [what: string, authority: string, status: number])[] = [
    ['an undeclared port of a bound service', '10.96.0.20:9090', 503],
    ['the VIP of a service that is not bound', '10.96.0.30:80', 421],
    ['a pod that is not bound by its own address', '10.0.0.2:8081', 421],
    ['an address nobody has', '10.1.2.3:80', 421],
    ['the waypoint’s own admin port', '127.0.0.1:15000', 421],
    ['the name of a service that is not bound', 'other.bank.svc.cluster.local:80', 421],
    ['a name nobody has', 'example.com:80', 421],
    ['an undeclared port of a bound service by its name', 'ledger.bank.svc.cluster.local:9090', 503],
    ['an address without port', '10.96.0.20', 400],
    ['nothing', '', 400],
    ['a port out of range', '10.96.0.20:70000', 400],
  ];
  for (const [what, authority, status] of refused) {
    it(`refuses ${what} with ${status}`, () => {
      expect(connectTarget(authority, snapshot, bound, '')).to.deep.include({ kind: 'refused', status });
    });
  }

  it('takes a pod bound by its own address as a member of the service that has the port', () => {
    const withPod = bindings([boundService({ key: ledger.key, ports: [{ port: 8080, protocol: 'HTTP11' }] })], [ledgerPod.uid]);
    const target = connectTarget('10.0.0.2:8081', snapshot, withPod, '');
    expect(target.kind).to.equal('target');
    if (target.kind === 'target') {
      expect(target.workload?.uid).to.equal(ledgerPod.uid);
      expect(target.called.port).to.equal(8080);
    }
  });

  it('refuses a port of a bound pod that no bound service has, since no policy would speak for it', () => {
    const withPod = bindings([boundService({ key: ledger.key, ports: [{ port: 8080, protocol: 'HTTP11' }] })], [ledgerPod.uid]);
    expect(connectTarget('10.0.0.2:9999', snapshot, withPod, '').kind).to.equal('refused');
  });
});
