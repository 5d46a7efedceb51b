/** Ways that no proxy of the mesh guards. Pure. */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { captureOf } from '../mesh/capture.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { Connection, Hop } from './connection.ts';

/** A pod whose traffic the mesh does not see. */
export function unguarded(view: MeshView, from: string, callee: Workload, target: SocketAddress): Connection {
  const name = `${callee.namespace}/${callee.name}`;
  const hops: readonly Hop[] = [{ from, to: name, by: 'plain', detail: formatSocketAddress(target) }];
  const pod = view.pods.get(callee.uid);
  if (pod !== undefined && captureOf(pod) === 'pending') {
    const because = `${name} is on its way into the mesh: its rules are there, and ztunnel has not taken it yet, so that it refuses`;
    return {
      caller: from,
      callee: name,
      hops,
      guarded: true,
      policies: [],
      remarks: [],
      verdict: 'REFUSED',
      because,
      changes: pendingChanges,
    };
  }
  return {
    caller: from,
    callee: name,
    hops,
    guarded: false,
    policies: [],
    remarks: [],
    verdict: 'ALLOWED',
    because: `${name} is not in the mesh: the connection is plain TCP, and no policy is enforced`,
    changes: [`To encrypt and guard it, label namespace ${callee.namespace} with istio.io/dataplane-mode: ambient.`],
  };
}

export function outside(from: string, to: string): Connection {
  return {
    caller: from,
    hops: [{ from, to, by: 'plain' }],
    guarded: false,
    policies: [],
    remarks: [],
    verdict: 'ALLOWED',
    because: `${to} is outside of the mesh: the connection leaves it as plain TCP, and no policy is enforced`,
    changes: [],
  };
}

export const pendingChanges: readonly string[] = ['See whether ztunnel runs on its node: clearmesh check.'];
