import { expect } from 'chai';
import { describe, it } from 'mocha';
import { service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { resolvePlaintext } from '../../src/resolve/inbound.ts';

const ledger = service({ name: 'ledger', addresses: ['10.96.0.1'], ports: { 80: 8080 } });
const server = workload({ name: 'server', addresses: ['10.0.0.2'], services: { [ledger.key]: {} } });

describe('resolvePlaintext (section 8.2)', () => {
  const snapshot = snapshotOf({ services: [ledger], workloads: [server] });

  it('goes to the original destination', () => {
    const found = resolvePlaintext(socketAddress('10.0.0.2:8080'), server, snapshot);
    expect(found).to.deep.include({ kind: 'target', address: socketAddress('10.0.0.2:8080'), localhost: false });
    expect(found).to.have.nested.property('service.name', 'ledger');
  });

  for (const port of [15001, 15006, 15008, 0]) {
    it(`refuses port ${port}`, () =>
      expect(resolvePlaintext(socketAddress(`10.0.0.2:${port}`), server, snapshot).kind).to.equal('rejected'));
  }

  for (const socks of [true, false]) {
    it(`${socks ? 'refuses' : 'takes'} port 15080 ${socks ? 'where a SOCKS listener is' : 'where none is'}`, () => {
      const found = resolvePlaintext(socketAddress('10.0.0.2:15080'), server, snapshot, { socks });
      expect(found.kind).to.equal(socks ? 'rejected' : 'target');
    });
  }
});
