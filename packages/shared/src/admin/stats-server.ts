/** Metrics for Prometheus: port 15020, /metrics and /stats/prometheus (l4-contract section 11.1). */
import type { Registry } from 'prom-client';
import type { Logger } from '../observe/log.ts';
import { chooseEncoding, compress, openMetricsType, textType, toOpenMetrics, wantsOpenMetrics } from './exposition.ts';
import { HttpEndpoint } from './http-endpoint.ts';
import type { HttpAnswer, HttpRequest } from './http-endpoint.ts';

export type ServerAddressOptions = {
  /** Addresses to listen on; the first must work. */
  readonly ips: readonly string[];
  readonly port: number;
};

export function startStatsServer(
  options: ServerAddressOptions,
  deps: { readonly registry: Registry; readonly logger: Logger },
): Promise<HttpEndpoint> {
  const scrape = (request: HttpRequest): Promise<HttpAnswer> => answerScrape(deps.registry, request);
  return HttpEndpoint.listen({ name: 'stats', ...options }, { '/metrics': scrape, '/stats/prometheus': scrape }, deps);
}

/** The metrics, as the one who asks wants them. */
export async function answerScrape(registry: Registry, { headers }: HttpRequest): Promise<HttpAnswer> {
  const text = await registry.metrics();
  const open = wantsOpenMetrics(headers.accept);
  const page = open ? toOpenMetrics(text) : text;
  const common = { 'content-type': open ? openMetricsType : textType, vary: 'accept-encoding' };
  const encoding = chooseEncoding(headers['accept-encoding']);
  if (encoding === undefined) return { status: 200, headers: common, body: page };
  return { status: 200, headers: { ...common, 'content-encoding': encoding }, body: await compress(page, encoding) };
}
