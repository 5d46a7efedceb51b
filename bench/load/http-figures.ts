/** The figures of one HTTP path in one round. */
import type { HttpPath } from '../paths/http-path.ts';
import type { Figures } from '../report.ts';
import { costed, keepAliveFigures, keepAliveTitles, wrkFrom } from './path-load.ts';
import { costOf } from './process-cost.ts';

/** Row titles of the table, in order. */
export const httpTitles: Readonly<Record<string, string>> = {
  ...keepAliveTitles,
  oneRequestsPerSecond: 'requests/s, 1 connection',
  oneP50Us: '  p50, µs',
  oneP99Us: '  p99, µs',
  residentMib: 'resident memory, MiB, all proxies',
  errors: 'errors',
};

/** Requests after which V8 has compiled what it will compile; before, a request costs up to twice as much. */
const warmRequests = 100_000;
const longestWarmUpSeconds = 20;

/** Lets caches, pools and the compilers of the proxies come to rest. */
export async function warmUpHttp({ clientNamespacePath, url }: HttpPath): Promise<void> {
  const seconds = 2;
  let requests = 0;
  for (let spent = 0; spent < longestWarmUpSeconds && requests < warmRequests; spent += seconds)
    requests += (await wrkFrom(clientNamespacePath, url, { connections: 32, seconds, fresh: false })).requests;
}

/**
 * Of a proxy under steady load: while the other paths had their turn it was idle, and a runtime that collects garbage gives
 * memory back then, which costs it a third more for the first second of the next load.
 */
export async function measureHttp(path: HttpPath, seconds: number): Promise<Figures> {
  const loadFor = (time: number, connections: number) =>
    wrkFrom(path.clientNamespacePath, path.url, { connections, seconds: time, fresh: false });
  const load = (connections: number) => loadFor(seconds, connections);
  await loadFor(1, 32);
  const keepAlive = await costed(path.pids, () => load(32));
  const one = await load(1);
  return {
    ...keepAliveFigures(keepAlive),
    oneRequestsPerSecond: one.requestsPerSecond,
    oneP50Us: one.p50Us,
    oneP99Us: one.p99Us,
    residentMib: path.pids.reduce((sum, pid) => sum + costOf([pid]).residentMib, 0),
    errors: keepAlive.result.errors + one.errors,
  };
}
