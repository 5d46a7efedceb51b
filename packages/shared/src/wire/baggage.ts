/**
 * The `baggage` header of a CONNECT: who the source workload is, for telemetry only (l4-contract section 2.1).
 * W3C Baggage section 3.3: values outside baggage-octet are percent-encoded, which also keeps a header one line.
 */
import { remembered } from '../lifecycle/remembered.ts';
import type { Workload, WorkloadType } from '../model/workload.ts';

/** What a peer says of itself; never evidence of identity. Empty values count as absent. */
export type BaggageFacts = {
  readonly clusterId?: string;
  readonly namespace?: string;
  readonly workloadType?: WorkloadType;
  readonly workloadName?: string;
  readonly canonicalName?: string;
  readonly canonicalRevision?: string;
  readonly region?: string;
  readonly zone?: string;
};

const workloadKeys: Readonly<Record<WorkloadType, string>> = {
  DEPLOYMENT: 'k8s.deployment.name',
  CRONJOB: 'k8s.cronjob.name',
  POD: 'k8s.pod.name',
  JOB: 'k8s.job.name',
};
const workloadTypes = new Map(Object.entries(workloadKeys).map(([type, key]) => [key, type as WorkloadType]));

const textKeys: ReadonlyMap<string, Exclude<keyof BaggageFacts, 'workloadType'>> = new Map([
  ['k8s.cluster.name', 'clusterId'],
  ['k8s.namespace.name', 'namespace'],
  ['service.name', 'canonicalName'],
  ['service.version', 'canonicalRevision'],
  ['cloud.region', 'region'],
  ['cloud.availability_zone', 'zone'],
]);

/** More than any sensible peer sends; the rest is ignored. */
const MAX_MEMBERS = 64;

/** What a workload says of itself. It goes with every connection, and a workload that changes is another object. */
export const formatBaggage: (workload: Workload) => string = remembered((workload) =>
  [
    ['k8s.cluster.name', workload.clusterId],
    ['k8s.namespace.name', workload.namespace],
    [workloadKeys[workload.workloadType], workload.workloadName],
    ['service.name', workload.canonicalName],
    ['service.version', workload.canonicalRevision],
    ['cloud.region', workload.locality.region],
    ['cloud.availability_zone', workload.locality.zone],
  ]
    .filter(([, value]) => value !== '')
    .map(([key, value = '']) => `${key}=${escape(value)}`)
    .join(','),
);

/** Reads all `baggage` header values of a message as one list; a later member replaces an earlier one. */
export function parseBaggage(values: readonly string[]): BaggageFacts {
  const facts: { -readonly [Key in keyof BaggageFacts]: BaggageFacts[Key] } = {};
  for (const member of values.join(',').split(',', MAX_MEMBERS)) {
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(0, equals)).trim();
    const value = unescape(withoutProperties(member.slice(equals + 1)).trim());
    const textKey = textKeys.get(key);
    const workloadType = workloadTypes.get(key);
    if (value === '') continue;
    if (textKey !== undefined) facts[textKey] = value;
    if (workloadType !== undefined) Object.assign(facts, { workloadType, workloadName: value });
  }
  return facts;
}

/** A member may carry `;name=value` properties, which mean nothing here. */
function withoutProperties(value: string): string {
  const semicolon = value.indexOf(';');
  return semicolon === -1 ? value : value.slice(0, semicolon);
}

function escape(value: string): string {
  return value.toWellFormed().replaceAll(/[^!#$&-+\--:<-[\]-~]/gu, encodeURIComponent);
}

function unescape(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    // Not percent-encoded after all: upstream sends values as they are.
    return value;
  }
}
