/**
 * How each pod of this node fares: the first thing to look at when one of them cannot be reached. Pure.
 *
 *   GET /pods                             all pods, one entry each
 *   GET /config_dump  workloadState.*     the same beside the connections, under `status`
 */
import { X509Certificate } from 'node:crypto';
import type { CertificateStatus } from './admin/certificate-dump.ts';
import type { Json } from '@clearmesh/shared/admin/json-answer';
import type { PodState } from './capture/pods.ts';
import type { LastFailure } from './path/last-failure.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';

/** One pod that is served, as far as its status shows it. */
export type ServedPod = {
  readonly listening: { readonly ports: readonly number[]; readonly dns: boolean };
  readonly path: {
    readonly connections: {
      readonly counts: { readonly inbound: number; readonly outbound: number };
      readonly heldBytes: number;
    };
    readonly accepted: { readonly tunnels: number; readonly streams: number };
    readonly dialer: { readonly tunnelCount: number; readonly streamCount: number };
    readonly failures: Pick<LastFailure, 'current' | 'count'>;
  };
};

export type PodFacts = {
  readonly certificates: readonly CertificateStatus[];
  /** What the control plane calls it; `undefined` for a pod it does not know, which is refused everything. */
  readonly workloadOf: (pod: PodName) => string | undefined;
};

/** @param facts about the mesh at this moment */
export function podsView(states: Iterable<PodState<ServedPod>>, facts: PodFacts): Json {
  return Array.from(states, (state) => {
    const { namespace, name, serviceAccount } = state.info;
    return { uid: state.uid, namespace, name, serviceAccount, state: state.state, ...podStatus(state, facts) };
  });
}

export function podStatus(entry: PodState<ServedPod>, facts: PodFacts): { readonly [key: string]: Json } {
  const known = {
    networkNamespace: String(entry.inode),
    workload: facts.workloadOf(entry.info) ?? null,
    certificate: certificateOf(entry.info, facts.certificates),
  };
  if (entry.state === 'Pending') return { ...known, listeners: [], dns: false, lastFailure: { error: entry.lastError } };
  const { listening, path } = entry.pod;
  const { connections, accepted, dialer, failures } = path;
  return {
    ...known,
    listeners: listening.ports,
    dns: listening.dns,
    connections: connections.counts,
    bufferedBytes: connections.heldBytes,
    tunnels: {
      inbound: accepted,
      outbound: { tunnels: dialer.tunnelCount, streams: dialer.streamCount },
    },
    failures: failures.count,
    lastFailure: failureOf(failures.current),
  };
}

/** Of whatever trust domain: a pod has one account, and a proxy one domain. */
function certificateOf({ namespace, serviceAccount }: PodName, certificates: readonly CertificateStatus[]): Json {
  const found = certificates.find(({ identity }) => identity.endsWith(`/ns/${namespace}/sa/${serviceAccount}`));
  if (found === undefined) return null;
  const { identity, state, chain } = found;
  const [leaf] = chain;
  const expires = leaf === undefined ? null : new X509Certificate(leaf).validToDate.toISOString();
  return { identity, state, expires };
}

function failureOf(failure: LastFailure['current']): Json {
  if (failure === undefined) return null;
  const { atMs, direction, error } = failure;
  return { time: new Date(atMs).toISOString(), direction, error };
}
