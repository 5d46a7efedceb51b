/** Where two states differ, to the field. */
import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '@bufbuild/protobuf';
import type { Keyed } from './scenario.ts';

export type Difference = {
  /** Such as `address payments/ledger.payments.svc.cluster.local`. */
  readonly resource: string;
  /** Such as `waypoint`; `*`: the whole resource is missing, or too much. */
  readonly field: string;
  /** Absent: upstream has no such thing. */
  readonly upstream?: JsonValue;
  /** Absent: there is no such thing here. */
  readonly here?: JsonValue;
};

export function differences(upstream: Keyed, here: Keyed): readonly Difference[] {
  return unionOfKeys(upstream, here).flatMap((resource) => {
    const [theirs, ours] = [upstream[resource], here[resource]];
    if (theirs === undefined || ours === undefined) return [{ resource, field: '*', ...both(theirs, ours) }];
    const [a, b] = [fieldsOf(theirs), fieldsOf(ours)];
    return unionOfKeys(a, b)
      .filter((field) => !isDeepStrictEqual(a[field], b[field]))
      .map((field) => ({ resource, field, ...both(a[field], b[field]) }));
  });
}

export function differenceText({ resource, field, upstream, here }: Difference): string {
  const text = (value: JsonValue | undefined): string => (value === undefined ? 'nothing' : JSON.stringify(value));
  return `${resource}: ${field}: upstream ${text(upstream)}, here ${text(here)}`;
}

function both(upstream: JsonValue | undefined, here: JsonValue | undefined): Pick<Difference, 'upstream' | 'here'> {
  return { ...(upstream === undefined ? {} : { upstream }), ...(here === undefined ? {} : { here }) };
}

/** An address is a workload or a service: their fields are what differs, not the whole of it. */
function fieldsOf(resource: JsonValue): Keyed {
  const fields = resource as Keyed;
  const { workload, service, ...rest } = fields;
  const inner = workload ?? service;
  if (inner === undefined || Object.keys(rest).length > 0) return fields;
  return { kind: workload === undefined ? 'service' : 'workload', ...(inner as Keyed) };
}

function unionOfKeys(a: Keyed, b: Keyed): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}
