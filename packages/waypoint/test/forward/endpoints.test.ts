import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { Workload } from '@clearmesh/shared/model/workload';
import { EndpointFinder } from '../../src/forward/endpoints.ts';

const own = workload({ name: 'waypoint', addresses: ['10.0.0.9'] });
const ledger = service({ name: 'ledger' });
const pod = (name: string, address: string, spec: Partial<Workload> = {}): Workload => ({
  ...workload({ name, addresses: [address], services: { [ledger.key]: { 80: 8080 } } }),
  ...spec,
});
const networkGateway = { kind: 'address', address: { network: 'west', ip: ip('1.2.3.4') }, hboneMtlsPort: 15_008 } as const;

function found(...workloads: readonly Workload[]): readonly string[] {
  const snapshot = snapshotOf({ services: [ledger], workloads: [own, ...workloads] });
  const asked = { service: ledger, port: 80, protocol: 'HTTP/1.1' } as const;
  return new EndpointFinder().endpoints(snapshot, own, asked).map(({ address }) => `${address.ip}:${address.port}`);
}

describe('endpoints of a backend', () => {
  it('are those of the service, at their target ports', () => {
    expect(found(pod('a', '10.0.0.1'), pod('b', '10.0.0.2'))).to.have.members(['10.0.0.1:8080', '10.0.0.2:8080']);
  });

  for (const [title, spec] of [
    ['in the mesh', {}],
    ['outside of it, in plain text', { tunnelProtocol: 'NONE' }],
  ] as const) {
    it(`are none of another network, whose addresses mean something else here, ${title}`, () => {
      expect(found(pod('a', '10.0.0.1', { network: 'west', networkGateway, ...spec }))).to.deep.equal([]);
    });
  }
});
