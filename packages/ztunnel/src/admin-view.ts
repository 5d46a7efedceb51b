/** What the dump shows of this process: its options without secrets, and its pods (l4-contract section 11.3). Pure. */
import type { Json } from '@clearmesh/shared/admin/json-answer';
import type { ConnectionSummary } from './path/connections.ts';
import { podStatus } from './pod-status.ts';
import type { PodFacts, ServedPod } from './pod-status.ts';
import type { PodState } from './capture/pods.ts';
import type { ZtunnelConfig } from './config.ts';
import { formatLogFilter } from '@clearmesh/shared/observe/log-filter';

/** The options in force. A token given literally is a secret; a path is not. */
export function configView({ log, authToken, ...config }: ZtunnelConfig): Json {
  const plain = JSON.parse(JSON.stringify(config)) as { readonly [key: string]: Json };
  return {
    ...plain,
    authToken: authToken.includes('/') ? authToken : '<hidden>',
    log: { filter: formatLogFilter(log.filter), format: log.format },
  };
}

/** The connections of one pod, as far as the dump shows them. */
export type DumpedPod = ServedPod & {
  readonly path: { readonly connections: { summaries(direction: 'inbound' | 'outbound'): readonly ConnectionSummary[] } };
};

/** By pod uid. `lastError`, why a pod is still pending, and `status` are ours. */
export function workloadStateView(states: Iterable<PodState<DumpedPod>>, facts: PodFacts): Json {
  const view: Record<string, Json> = {};
  for (const entry of states) {
    view[entry.uid] =
      entry.state === 'Pending'
        ? { state: 'Pending', info: entry.info, lastError: entry.lastError, status: podStatus(entry, facts) }
        : { state: 'Up', connections: connectionsView(entry.pod), info: entry.info, status: podStatus(entry, facts) };
  }
  return view;
}

function connectionsView({ path: { connections } }: DumpedPod): Json {
  return { inbound: connections.summaries('inbound'), outbound: connections.summaries('outbound') };
}
