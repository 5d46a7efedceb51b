/** Loads that run in a client's namespace, and what the proxies in between pay for them. */
import { runIn } from '@clearmesh/e2e/harness/command';
import { costOf } from './process-cost.ts';
import { parseWrk, wrkArguments } from './wrk.ts';
import type { WrkResult } from './wrk.ts';
import type { Figures } from '../report.ts';

export type WrkLoad = {
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
};

/** Runs wrk in a namespace; time for it to start and end comes on top of the load's. */
export async function wrkFrom(clientNamespacePath: string, url: string, load: WrkLoad): Promise<WrkResult> {
  const command = wrkArguments({ url, ...load });
  return parseWrk((await runIn(clientNamespacePath, command, { timeoutMs: (load.seconds + 15) * 1000 })).stdout);
}

/** What a load gave, and the CPU seconds of the proxies. */
export type Costed<T> = { readonly result: T; readonly cpuSeconds: number };

/** CPU that the processes spent, all together, while the load ran. */
export async function costed<T>(pids: readonly number[], load: () => Promise<T>): Promise<Costed<T>> {
  const before = costOf(pids).cpuSeconds;
  const result = await load();
  return { result, cpuSeconds: costOf(pids).cpuSeconds - before };
}

/** Row titles of {@link keepAliveFigures}, in order. */
export const keepAliveTitles: Readonly<Record<string, string>> = {
  keepAliveRequestsPerSecond: 'requests/s, 32 connections',
  keepAliveP50Us: '  p50, µs',
  keepAliveP99Us: '  p99, µs',
  keepAliveCpuUsPerRequest: '  CPU, µs/request',
};

/** Of a load on 32 connections that are kept. */
export function keepAliveFigures({ result, cpuSeconds }: Costed<WrkResult>): Figures {
  return {
    keepAliveRequestsPerSecond: result.requestsPerSecond,
    keepAliveP50Us: result.p50Us,
    keepAliveP99Us: result.p99Us,
    keepAliveCpuUsPerRequest: (cpuSeconds * 1e6) / result.requests,
  };
}
