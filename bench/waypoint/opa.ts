/**
 * The question: what does a policy in OPA cost a request, by engine, and what does keeping decisions save?
 *
 * The pipeline is that of forwarding.ts, with one OpaPolicy. The decision is the same in all of them; the server is OPA
 * itself on the same machine, over loopback, and its CPU and memory count.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OpaEngine, OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { httpTitles, measureHttp, warmUpHttp } from '../load/http-figures.ts';
import { PlainProxies } from '../paths/plain-proxies.ts';
import { summarise } from '../report.ts';
import { inTurn } from '../rounds.ts';
import type { WaypointAnswer, WaypointBenchOptions } from './answer.ts';

const run = promisify(execFile);
const reference = 'no policy';
const folder = join(import.meta.dirname, '../policies');
const rule = 'envoy/authz/allow';

export async function benchOpa({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<WaypointAnswer> {
  const binary = await installOpa();
  onProgress('starting the pipeline with each engine …');
  await using proxies = await PlainProxies.open();
  const opa = await proxies.opa(binary, await buildBundle(binary, proxies.workDir, 'rego'));
  const bundle = await buildBundle(binary, proxies.workDir, 'wasm');
  const wasm: OpaEngine = { kind: 'wasm', bundle, watchdogMs: 50 };
  const server: OpaEngine = { kind: 'server', url: opa.url };
  const inputs = ['attributes.request.http.method', 'attributes.request.http.path'];
  const cache = { ttlMs: 30_000, inputs };
  const pipeline = (name: string, policy?: OpaPolicy) =>
    proxies.node(name, 'waypoint-process.ts', policy === undefined ? [] : [JSON.stringify(policy)]);
  const served = await pipeline('server', policyOf(server));
  const paths = [
    await pipeline(reference),
    await pipeline('WASM', policyOf(wasm)),
    await pipeline('WASM, cached', policyOf(wasm, cache)),
    { ...served, pids: [...served.pids, opa.pid] },
  ];
  onProgress('warming up …');
  for (const path of paths) await warmUpHttp(path);
  const figures = await inTurn(paths, { rounds, measure: (path) => measureHttp(path, seconds), onProgress });
  return { part: 'opa', reference, titles: httpTitles, summaries: summarise(figures, reference) };
}

function policyOf(engine: OpaEngine, cache?: OpaPolicy['cache']): OpaPolicy {
  const common = { key: 'OpaPolicy bank/authz', engine, path: rule, timeoutMs: 1_000, contextExtensions: {} };
  return cache === undefined ? common : { ...common, cache };
}

/** A bundle for each kind of engine, of the same policy: a server evaluates Rego itself. */
async function buildBundle(binary: string, workDir: string, target: 'wasm' | 'rego'): Promise<string> {
  const bundle = join(workDir, `${target}.tar.gz`);
  await run(binary, ['build', '-t', target, '-e', rule, '-O1', '-b', folder, '-o', bundle]);
  return bundle;
}
