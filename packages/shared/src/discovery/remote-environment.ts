/** Where the control plane and its certificate authority are, by environment (l4-contract section 12). */
import type { EnvironmentReader } from '../lifecycle/environment.ts';

/** One gRPC service over TLS: the control plane's xDS, or its certificate authority. */
export type RemoteConfig = {
  /** `https://host:port` without a path. */
  readonly url: string;
  /** Path of a PEM file, PEM text itself, or `SYSTEM`. */
  readonly root: string;
  /** A further DNS name the server certificate may carry. */
  readonly altHostname?: string;
};

/** `undefined` where the address is set and empty: the service is switched off. */
export function readRemote(reader: EnvironmentReader, service: 'XDS' | 'CA'): RemoteConfig | undefined {
  // The kubelet sets it in every pod; elsewhere there is no such name.
  const isInCluster = reader.raw('KUBERNETES_SERVICE_HOST') !== undefined;
  const host = isInCluster ? 'istiod.istio-system.svc' : 'localhost';
  const url = reader.httpsAddress(`${service}_ADDRESS`, `https://${host}:15012`);
  const altHostname = reader.text(`ALT_${service}_HOSTNAME`, '');
  if (url === undefined) return undefined;
  const root = reader.text(`${service}_ROOT_CA`, './var/run/secrets/istio/root-cert.pem');
  return altHostname === '' ? { url, root } : { url, root, altHostname };
}
