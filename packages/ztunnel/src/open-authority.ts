import { authorityOf } from '@clearmesh/shared/certificates/remote-authority';
import type { CertificateAuthority } from '@clearmesh/shared/certificates/certificate-authority';
import { readToken } from '@clearmesh/shared/discovery/credentials';
import { extraHeaders } from '@clearmesh/shared/discovery/node-metadata';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { ZtunnelConfig } from './config.ts';

type Deps = { readonly env: Environment; readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** Who signs certificates of pods: the control plane's authority, or for tests the proxy itself. */
export async function openAuthority(
  { ca, selfMadeCa, clusterId, trustDomain, authToken, tls }: ZtunnelConfig,
  { env, clock, random, logger }: Deps,
): Promise<CertificateAuthority & Partial<Disposable>> {
  if (selfMadeCa === undefined) {
    const headers = extraHeaders('CA_HEADER_', env);
    return authorityOf({ ca, clusterId, headers, tls }, { readToken: () => readToken(authToken) });
  }
  logger.warn('FAKE_CA: certificates are of the proxy’s own making and prove nothing; for tests only', {
    root: selfMadeCa.directory ?? 'in memory',
  });
  // Loaded only here: see its note on memory.
  const { openSelfMadeAuthority } = await import('@clearmesh/shared/certificates/self-made-authority');
  return openSelfMadeAuthority({ trustDomain, ...selfMadeCa }, { clock, random });
}
