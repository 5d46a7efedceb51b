/** For kubelet and Prometheus: /healthz while the process lives, /readyz with what is missing, /metrics; /status for people. */
import { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import type { Readiness } from '@clearmesh/shared/admin/readiness';
import { readinessAnswer } from '@clearmesh/shared/admin/readiness-server';
import { answerScrape } from '@clearmesh/shared/admin/stats-server';
import type { ServerAddressOptions } from '@clearmesh/shared/admin/stats-server';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { AgentMetrics } from './agent-metrics.ts';
import { statusAnswer } from './status.ts';
import type { StatusDeps } from './status.ts';

export type HealthServerDeps = {
  readonly readiness: Readiness;
  readonly metrics: AgentMetrics;
  readonly status: StatusDeps;
  readonly logger: Logger;
};

export function startHealthServer(options: ServerAddressOptions, deps: HealthServerDeps): Promise<HttpEndpoint> {
  return HttpEndpoint.listen(
    { name: 'health', ...options },
    {
      '/healthz': () => ({ status: 200, body: 'alive\n' }),
      '/readyz': () => readinessAnswer(deps.readiness),
      '/status': () => statusAnswer(deps.status),
      '/metrics': (request) => answerScrape(deps.metrics.registry, request),
    },
    deps,
  );
}
