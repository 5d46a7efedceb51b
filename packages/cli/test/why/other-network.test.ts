/** Connections into another network, as `clearmesh why` tells them. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { object } from '../mesh/bank.ts';
import { ask, itAnswers } from './asking.ts';

const gateway = object(
  'gateway.networking.k8s.io/v1',
  'Gateway',
  { name: 'west', namespace: 'networks', labels: { 'topology.istio.io/network': 'west' } },
  {
    gatewayClassName: 'istio-remote',
    addresses: [{ value: '203.0.113.7' }],
    listeners: [{ name: 'tunnels', port: 15_008, protocol: 'HBONE' }],
  },
);
const clearing = [
  object(
    'v1',
    'Service',
    { name: 'clearing', namespace: 'ledger' },
    { clusterIP: '10.96.0.77', selector: { app: 'clearing' }, ports: [{ name: 'http', port: 80 }] },
  ),
  object(
    'networking.istio.io/v1',
    'WorkloadEntry',
    { name: 'west', namespace: 'ledger' },
    { address: '10.9.0.9', network: 'west', serviceAccount: 'clearing', labels: { app: 'clearing' } },
  ),
];
const ends = ['payments/payments-0', 'ledger/clearing'] as const;

describe('explain, of a service in another network', () => {
  itAnswers([
    ['leaves the decision to that network', [gateway, ...clearing], ends, 'DEPENDS', /policies of network west decide/],
    [
      'says what is missing without a gateway',
      clearing,
      ends,
      'REFUSED',
      /is in network "west" and the client in "": the mesh names no gateway/,
      /label topology\.istio\.io\/network/,
    ],
  ]);

  it('shows both tunnels and who is proven in each', () => {
    const [way] = ask([gateway, ...clearing], ...ends).groups;
    expect(way?.connection.hops).to.deep.equal([
      {
        from: 'payments/payments-0',
        to: 'networks/west',
        by: 'tunnel',
        identities: 'spiffe://cluster.local/ns/payments/sa/payments ▸ spiffe://cluster.local/ns/networks/sa/west',
        detail: 'clearing.ledger.svc.cluster.local:80',
      },
      {
        from: 'networks/west',
        to: 'clearing.ledger.svc.cluster.local:80 in network west',
        by: 'tunnel',
        identities: 'spiffe://cluster.local/ns/payments/sa/payments ▸ spiffe://cluster.local/ns/ledger/sa/clearing',
        detail: 'clearing.ledger.svc.cluster.local:80',
      },
    ]);
  });
});
