/** An object that is wrong in a cluster: its status says which field, which value, and what to do. */
import { condition } from './status-report.ts';
import { controllerName } from './route-status.ts';
import { reporterOf } from './reporters.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { ParentRefManifest } from '../manifest/route.ts';
import type { Condition, ObjectStatus, ParentStatus } from './status-report.ts';

export type RejectedObject = {
  readonly kind: string;
  readonly problems: readonly [Problem, ...Problem[]];
  /** What is said of its last good version, if that is in force. */
  readonly status: ObjectStatus | undefined;
  /** The last good version is in force. */
  readonly inForce: boolean;
  /** Service parents of a route, as it names them now. */
  readonly parents: readonly ParentRefManifest[];
};

/** Problems spelt out in one condition; the rest is counted. */
const maxTold = 5;

export function rejectionStatus({ kind, problems, status = {}, inForce, parents }: RejectedObject): ObjectStatus {
  const otherwise = problems[0].effect ?? 'Nothing of it is in force.';
  const message = `${told(problems)} ${inForce ? 'The last valid version stays in force.' : otherwise}`;
  if (kind.endsWith('Route')) return { parents: parents.map((parent) => parentStatus(parent, message, status)) };
  const { rejection } = reporterOf(kind);
  const conditions = status.conditions ?? [];
  // A policy that is told under another type stays under it.
  const type = conditions.find((each) => each.type === rejection)?.type ?? acceptance(conditions) ?? rejection;
  return { ...status, conditions: [...conditions.filter((each) => each.type !== type), invalid(type, 'Invalid', message)] };
}

function acceptance(conditions: readonly Condition[]): string | undefined {
  return conditions.find(({ type }) => /^(?:\w+)?Accepted$/.test(type))?.type;
}

function parentStatus(parent: ParentRefManifest, message: string, status: ObjectStatus): ParentStatus {
  const { group = '', kind = 'Service', namespace, name, port } = parent;
  const parentRef = {
    group,
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(port === undefined ? {} : { port }),
  };
  const before = status.parents?.find((each) => each.parentRef.name === name && each.parentRef.port === port);
  const others = (before?.conditions ?? []).filter(({ type }) => type !== 'Accepted');
  return { parentRef, controllerName, conditions: [invalid('Accepted', 'UnsupportedValue', message), ...others] };
}

function invalid(type: string, reason: string, message: string): Condition {
  return condition(type, 'False', reason, message);
}

function told(problems: readonly Problem[]): string {
  const texts = problems.slice(0, maxTold).map(({ field, value, message, remedy }) => {
    const found = value === '' ? '' : ` (found ${value})`;
    return `${[field, message].filter((part) => part !== '').join(' ')}${found}. ${remedy}`;
  });
  const more = problems.length > maxTold ? [`${problems.length - maxTold} more problems.`] : [];
  return [...texts, ...more].join(' ');
}
