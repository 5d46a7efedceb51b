/** What the certificates of the control plane's own ports are for. */
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { AltName } from '@clearmesh/shared/certify/leaf';

/** The Service's names in a cluster, and what a process beside it would dial. */
export function serverNames(place: {
  readonly rootNamespace: string;
  readonly listen: SocketAddress;
}): readonly [AltName, ...AltName[]] {
  const { rootNamespace, listen } = place;
  const wildcard = listen.ip === '0.0.0.0' || listen.ip === '::';
  const service = `clearmesh-control-plane.${rootNamespace}`;
  return [
    { type: 'dns', value: `${service}.svc` },
    { type: 'dns', value: `${service}.svc.cluster.local` },
    { type: 'dns', value: service },
    { type: 'dns', value: 'localhost' },
    ...(wildcard ? [] : [{ type: 'ip', value: listen.ip } as const]),
  ];
}
