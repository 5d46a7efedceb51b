/** The mTLS mode of a pod's port, and the object that says so. Pure; modes are the derivation's own. */
import { MtlsModes, peerPolicies } from '@clearmesh/control-plane/derive/mtls-mode';
import type { Labels } from '@clearmesh/control-plane/manifest/metadata';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { MtlsFinding } from './connection.ts';

/** @param port without one, what holds where no port has a mode of its own */
export function mtlsOf(view: MeshView, namespace: string, labels: Labels | undefined, port?: number): MtlsFinding {
  const { options, nowMs } = view;
  const peers = peerPolicies(view.collections.peerAuthentications, options, nowMs);
  const modes = new MtlsModes(peers, options);
  const own = modes.selecting(namespace, labels);
  const atPort = port === undefined ? undefined : own?.ports.get(port);
  const mode = atPort ?? own?.mode ?? modes.inherited(namespace);
  const wide = (where: string): string | undefined => {
    const found = peers.find((peer) => peer.matchLabels === undefined && peer.namespace === where);
    return found?.mode === undefined ? undefined : `PeerAuthentication ${found.namespace}/${found.name}`;
  };
  const selecting = own === undefined ? '' : `PeerAuthentication ${own.namespace}/${own.name}`;
  const inherited = wide(namespace) ?? wide(options.rootNamespace) ?? 'the default of the mesh';
  const by = atPort !== undefined ? `${selecting}, port ${port}` : own?.mode !== undefined ? selecting : inherited;
  return { mode: mode === 'STRICT' ? 'STRICT' : 'PERMISSIVE', by };
}
