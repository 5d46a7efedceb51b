/** The certificate authority of the control plane, or one that says why there is none. */
import type { RemoteConfig } from '../discovery/remote-environment.ts';
import { readRoot } from '../discovery/credentials.ts';
import type { TlsPolicy } from '../tls/tls-policy.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { GrpcCertificateAuthority } from './grpc-certificate-authority.ts';

export type RemoteAuthorityOptions = {
  /** Absent: CA_ADDRESS is empty. */
  readonly ca: RemoteConfig | undefined;
  readonly clusterId: string;
  /** @default TLS 1.3 */
  readonly tls?: TlsPolicy;
  readonly headers: Readonly<Record<string, string>>;
  /** False for a caller that asks for its own identity only. @default true */
  readonly impersonates?: boolean;
};

/** Dispose of it where it can be. */
export function authorityOf(
  { ca, clusterId, headers, tls, impersonates = true }: RemoteAuthorityOptions,
  deps: { readonly readToken: () => Promise<string> },
): CertificateAuthority & Partial<Disposable> {
  if (ca === undefined) {
    const sign = (): Promise<never> =>
      Promise.reject(new MeshError('MESH-CERT-001', { message: 'CA_ADDRESS is empty: no certificate can be had' }));
    return { sign };
  }
  const { root, ...remote } = ca;
  return new GrpcCertificateAuthority(
    { ...remote, clusterId, headers, tls, impersonates },
    { readRoots: () => readRoot(root), ...deps },
  );
}
