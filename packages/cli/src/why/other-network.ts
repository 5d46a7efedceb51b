/** A way into another network: two tunnels, and a decision that is made there. Pure. */
import type { NestedRoute } from '@clearmesh/ztunnel/resolve/route';
import type { Connection, Hop } from './connection.ts';
import type { Party } from './party.ts';

type Way = Pick<NestedRoute, 'authority' | 'acceptedPeers' | 'innerPeers' | 'networkGateway' | 'destination'>;

export function intoOtherNetwork({ name, identity }: Party, way: Way): Connection {
  const { authority, acceptedPeers, innerPeers, networkGateway, destination } = way;
  const gateway = `${networkGateway.namespace}/${networkGateway.name}`;
  const network = destination?.network ?? networkGateway.network;
  const to = `${authority} in network ${network}`;
  const hops: readonly Hop[] = [
    { from: name, to: gateway, by: 'tunnel', identities: `${identity} ▸ ${acceptedPeers.join(' or ')}`, detail: authority },
    { from: gateway, to, by: 'tunnel', identities: `${identity} ▸ ${innerPeers.join(' or ')}`, detail: authority },
  ];
  return {
    caller: name,
    callee: to,
    hops,
    guarded: true,
    policies: [],
    remarks: [],
    verdict: 'DEPENDS',
    because: `the policies of network ${network} decide, which its own control plane knows`,
    changes: [],
  };
}
