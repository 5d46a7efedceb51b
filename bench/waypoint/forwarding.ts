/**
 * The question: what does the waypoint's HTTP pipeline cost, against a naive proxy in Node and against Envoy?
 *
 * No TLS, no tunnel: what is compared is reading, deciding and forwarding. Envoy has an access log, as the waypoint always
 * has one (it costs Envoy about 1 %); both logs go to /dev/null.
 */
import { httpTitles, measureHttp, warmUpHttp } from '../load/http-figures.ts';
import { envoyBinary } from '../paths/envoy-install.ts';
import { PlainProxies } from '../paths/plain-proxies.ts';
import { summarise } from '../report.ts';
import { inTurn } from '../rounds.ts';
import type { WaypointAnswer, WaypointBenchOptions } from './answer.ts';

const reference = 'envoy';

export async function benchForwarding({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<WaypointAnswer> {
  const binary = await envoyBinary(onProgress);
  onProgress('starting proxies before one server …');
  await using proxies = await PlainProxies.open();
  const paths = [
    proxies.direct,
    await proxies.node('naive proxy', 'fastify-process.ts'),
    await proxies.envoy(reference, binary),
    await proxies.node('clearmesh', 'waypoint-process.ts'),
  ];
  onProgress('warming up …');
  for (const path of paths) await warmUpHttp(path);
  const figures = await inTurn(paths, { rounds, measure: (path) => measureHttp(path, seconds), onProgress });
  return { part: 'forwarding', reference, titles: httpTitles, summaries: summarise(figures, reference) };
}
