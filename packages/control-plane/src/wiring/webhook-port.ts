/** The HTTPS port where the API server asks whether an object may be stored. */
import { review } from '../admit/review.ts';
import { WebhookServer } from '../admit/webhook-server.ts';
import { ServerCertificate } from '../certify/server-certificate.ts';
import { serverNames } from './server-names.ts';
import type { CurrentRoot } from '../certify/current-root.ts';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Wiring } from './parts.ts';

/** Opens it, and keeps its certificate young. */
export async function listenForReviews(wiring: Wiring, listen: SocketAddress, root: CurrentRoot): Promise<SocketAddress> {
  const { options, deps, metrics, resources, signal } = wiring;
  const logger = deps.logger.scope('webhook');
  const { requirePermissiveExpiry, rootNamespace } = options;
  const names = serverNames({ rootNamespace, listen });
  const certificate = resources.use(await ServerCertificate.issue({ names }, { root, clock: deps.clock, logger }));
  const server = resources.use(
    await WebhookServer.listen(
      { listen },
      {
        credentials: certificate.credentials,
        review: (question) => review(question, { requirePermissiveExpiry, rootNamespace }),
        metrics,
        logger,
      },
      signal,
    ),
  );
  certificate.onRenewed((renewed) => server.renew(renewed));
  return server.address;
}
