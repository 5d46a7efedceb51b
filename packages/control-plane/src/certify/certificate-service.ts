/** `istio.v1.auth.IstioCertificateService` for authenticated callers: the answers of the authority as gRPC. */
import { Code, ConnectError } from '@connectrpc/connect';
import type { IstioCertificateRequest } from '@clearmesh/shared/wire/gen/ca/ca_pb';
import type { Logger } from '@clearmesh/shared/observe/log';
import { accountOf } from './caller.ts';
import type { Caller } from './caller.ts';
import type { CertificateAnswer, CertificateAuthority } from './certificate-authority.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';

export type CertificateServiceOptions = {
  /** Signatures under way at a time; more are told to come again. @default 64 */
  readonly maxConcurrent?: number;
};

type Deps = {
  readonly authority: CertificateAuthority;
  /** False until a first configuration was taken: before, no pod is known. */
  readonly configured: () => boolean;
  readonly metrics: Pick<ControlPlaneMetrics, 'certificatesIssued' | 'certificatesRefused'>;
  readonly logger: Logger;
};

export class CertificateService {
  readonly #options: CertificateServiceOptions;
  readonly #deps: Deps;
  #underWay = 0;

  constructor(options: CertificateServiceOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async create(request: IstioCertificateRequest, caller: Caller): Promise<{ certChain: string[] }> {
    if (!this.#deps.configured()) throw new ConnectError('no configuration yet', Code.Unavailable);
    if (this.#underWay >= (this.#options.maxConcurrent ?? 64)) throw new ConnectError('busy', Code.Unavailable);
    const impersonated = request.metadata?.['ImpersonatedIdentity'] ?? '';
    if (typeof impersonated !== 'string') throw new ConnectError('ImpersonatedIdentity must be text', Code.InvalidArgument);
    this.#underWay += 1;
    try {
      const answer = await this.#deps.authority.answer({
        caller,
        csr: request.csr,
        impersonated,
        lifetimeS: request.validityDuration,
      });
      return this.#respond(answer, caller);
    } finally {
      this.#underWay -= 1;
    }
  }

  #respond(answer: CertificateAnswer, caller: Caller): { certChain: string[] } {
    const { metrics, logger } = this.#deps;
    const who = { account: accountOf(caller), pod: caller.pod?.name, node: caller.node };
    if (answer.kind === 'issued') {
      metrics.certificatesIssued.add();
      logger.info('certificate issued', { ...who, identity: answer.identity, until: new Date(answer.notAfterMs).toISOString() });
      return { certChain: [...answer.chain] };
    }
    metrics.certificatesRefused.add({ reason: answer.kind });
    logger.warn('certificate refused', { ...who, reason: answer.reason });
    // The caller may learn what is wrong with its request, but not what is known of pods and nodes.
    if (answer.kind === 'invalid') throw new ConnectError(answer.reason, Code.InvalidArgument);
    throw new ConnectError('unauthenticated', Code.Unauthenticated);
  }
}
