/** For the kubelet: port 15021, /healthz/ready (l4-contract section 11.3). */
import type { Logger } from '../observe/log.ts';
import { HttpEndpoint } from './http-endpoint.ts';
import type { HttpAnswer } from './http-endpoint.ts';
import type { Readiness } from './readiness.ts';
import type { ServerAddressOptions } from './stats-server.ts';

/** 200 "ready", or 500 with what is pending. */
export function startReadinessServer(
  options: ServerAddressOptions,
  deps: { readonly readiness: Readiness; readonly logger: Logger },
): Promise<HttpEndpoint> {
  const answer = (): HttpAnswer => readinessAnswer(deps.readiness);
  return HttpEndpoint.listen({ name: 'readiness', ...options }, { '/healthz/ready': answer }, deps);
}

export function readinessAnswer(readiness: Readiness): HttpAnswer {
  return readiness.ready
    ? { status: 200, body: 'ready\n' }
    : { status: 500, body: `not ready, pending: ${readiness.pending.join(', ')}\n` };
}
