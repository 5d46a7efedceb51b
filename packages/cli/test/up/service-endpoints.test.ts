import { expect } from 'chai';
import { describe, it } from 'mocha';
import { labServices } from '../../src/up/service-endpoints.ts';
import type { Endpoint } from '../../src/up/service-endpoints.ts';

const endpoint = (ip: string, changes: Partial<Endpoint> = {}): Endpoint => ({
  namespace: 'ledger',
  labels: { app: 'ledger' },
  ip,
  ready: true,
  ports: { http: 8080 },
  ...changes,
});
const metadata = { name: 'ledger', namespace: 'ledger' };

describe('labServices', () => {
  it('leads each TCP port of a cluster IP to the ready pods it selects', () => {
    const spec = {
      clusterIP: '10.96.0.20',
      selector: { app: 'ledger' },
      ports: [{ port: 80, targetPort: 'http' }, { port: 9090 }, { port: 53, protocol: 'UDP' }],
    };
    const endpoints = [
      endpoint('10.244.1.2'),
      endpoint('10.244.1.3', { ready: false }),
      endpoint('10.244.1.4', { namespace: 'other' }),
      endpoint('10.244.1.5', { labels: { app: 'other' } }),
      endpoint('10.244.1.6', { ports: {} }),
    ];
    expect(labServices([{ metadata, spec }], endpoints)).to.deep.equal([
      { vip: '10.96.0.20', port: 80, endpoints: [{ ip: '10.244.1.2', port: 8080 }] },
      {
        vip: '10.96.0.20',
        port: 9090,
        endpoints: [
          { ip: '10.244.1.2', port: 9090 },
          { ip: '10.244.1.6', port: 9090 },
        ],
      },
    ]);
  });

  for (const [name, spec] of [
    ['headless', { clusterIP: 'None', selector: { app: 'ledger' }, ports: [{ port: 80 }] }],
    ['IPv6', { clusterIP: 'fd00::1', selector: { app: 'ledger' }, ports: [{ port: 80 }] }],
  ] as const) {
    it(`has nothing for a ${name} service`, () => {
      expect(labServices([{ metadata, spec }], [endpoint('10.244.1.2')])).to.deep.equal([]);
    });
  }

  it('lets an empty selector select nothing', () => {
    const spec = { clusterIP: '10.96.0.20', selector: {}, ports: [{ port: 80 }] };
    expect(labServices([{ metadata, spec }], [endpoint('10.244.1.2')])).to.deep.equal([
      { vip: '10.96.0.20', port: 80, endpoints: [] },
    ]);
  });
});
