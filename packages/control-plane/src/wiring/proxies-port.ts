/** The one TLS port: discovery and certificates for proxies. */
import { CertificateAuthority } from '../certify/certificate-authority.ts';
import { CertificateService } from '../certify/certificate-service.ts';
import { ServerCertificate } from '../certify/server-certificate.ts';
import { grpcHandler } from '../listen/grpc-handler.ts';
import { SecureServer } from '../listen/secure-server.ts';
import { DiscoveryService } from '../publish/discovery-service.ts';
import { serverNames } from './server-names.ts';
import type { Configuration } from '../configuration.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Reporter } from '../report/reporter.ts';
import type { Surroundings, Wiring } from './parts.ts';

type Served = {
  readonly published: Publisher;
  readonly configuration: Configuration;
  readonly reporter: Reporter | undefined;
  readonly surroundings: Surroundings;
};

export async function listenForProxies(wiring: Wiring, served: Served): Promise<SecureServer> {
  const { options, deps, metrics, resources, signal } = wiring;
  const { clock, logger } = deps;
  const { root, authenticator } = served.surroundings;
  const tellExpiry = (): void => metrics.rootExpiry.set(Math.floor(root.authority.certificate.notAfter.getTime() / 1000));
  tellExpiry();
  resources.defer(root.onReplaced(tellExpiry));
  const handler = grpcHandler({
    authenticate: (header) => authenticator.authenticate(header),
    discovery: discoveryOf(wiring, served),
    certificates: certificatesOf(wiring, served),
    metrics,
    logger: logger.scope('grpc'),
  });
  const certificate = resources.use(
    await ServerCertificate.issue({ names: serverNames(options) }, { root, clock, logger: logger.scope('ca') }),
  );
  const listening = { credentials: certificate.credentials, handler, clock, logger: logger.scope('grpc') };
  const server = resources.use(await SecureServer.listen({ listen: options.listen }, listening, signal));
  certificate.onRenewed((renewed) => server.renew(renewed));
  return server;
}

function discoveryOf({ deps, metrics, draining }: Wiring, { published, reporter }: Served): DiscoveryService {
  const { clock, logger } = deps;
  return new DiscoveryService(
    {},
    {
      published,
      metrics,
      clock,
      logger: logger.scope('xds'),
      draining: draining.signal,
      ...(reporter === undefined ? {} : { waypoints: reporter }),
    },
  );
}

function certificatesOf({ options, deps, metrics }: Wiring, { configuration, surroundings }: Served): CertificateService {
  const authority = new CertificateAuthority(
    { trustDomain: options.trustDomain, trustedNodeAccounts: new Set(options.trustedNodeAccounts) },
    { root: surroundings.root, clock: deps.clock, pods: () => configuration.pods },
  );
  const configured = (): boolean => configuration.model !== undefined;
  return new CertificateService({}, { authority, configured, metrics, logger: deps.logger.scope('ca') });
}
