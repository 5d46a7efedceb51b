/** One way from a client to an HTTP server: what the waypoint's questions send their load through. */
import type { Lab } from '@clearmesh/lab/lab';
import { delay, systemClock } from '@clearmesh/shared/lifecycle/clock';
import type { SupervisedProcess } from '@clearmesh/lab/process/supervised-process';

export type HttpPath = {
  readonly name: string;
  /** Namespace the load runs in. */
  readonly clientNamespacePath: string;
  readonly url: string;
  /** Processes in between, whose cost is reported; empty when there is none. */
  readonly pids: readonly number[];
};

const startDeadlineMs = 15_000;
const pollMs = 50;

/** Resolves with the process once it answers 200 at a port of the loopback address; rejects with its last words. */
export async function answering(lab: Lab, process: SupervisedProcess, port: number): Promise<SupervisedProcess> {
  const namespacePath = process.namespacePath ?? '';
  const ended = new AbortController();
  void process.exited.then(() => ended.abort());
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(startDeadlineMs)]);
  while (!signal.aborted) {
    const answer = await lab.request(namespacePath, { ip: '127.0.0.1', port, path: '/', signal }).catch(() => undefined);
    if (answer?.status === 200) return process;
    await delay(systemClock, pollMs, signal).catch(() => {});
  }
  const why = ended.signal.aborted ? 'ended' : `gave no answer at port ${port} within ${startDeadlineMs} ms`;
  throw new Error(`${process.name} ${why}: ${process.tail().join('\n')}`);
}
