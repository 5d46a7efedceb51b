/**
 * From what is to be said of an object, and what its status says, to the write that makes them one; or to none.
 *
 * P1  Pure. What differs in nothing but times is no difference.
 * P2  A condition keeps the time of its last transition while its status is the same (metav1.Condition).
 * P3  What others wrote stays.
 */
import { isDeepStrictEqual } from 'node:util';
import type { StatusReporter } from './reporters.ts';
import type { Condition, ObjectStatus, ParentStatus } from './status-report.ts';

export type StatusFacts = {
  readonly desired: ObjectStatus;
  /** As the server has it; of any shape. */
  readonly actual: unknown;
  /** 0 for kinds without one. */
  readonly generation: number;
  /** Something in it was written by us. */
  readonly reported: boolean;
  readonly nowMs: number;
};

/** The status as it is to be sent: whole where lists are replaced, ours alone where they are applied. */
export type StatusPatch = Readonly<Record<string, unknown>>;

type WrittenCondition = Condition & { readonly lastTransitionTime: string; readonly observedGeneration?: number };
type ActualCondition = Partial<WrittenCondition> & { readonly type: string };
type ActualParent = Partial<ParentStatus> & { readonly conditions?: unknown };

/** Of a message, as API servers take it. */
const maxMessage = 8192;
/** Entries a route may have (Gateway API). */
const maxParents = 32;

export function statusPatch(reporter: StatusReporter, facts: StatusFacts): StatusPatch | undefined {
  const actual = objectOf(facts.actual);
  const parts = [
    conditionsPart(reporter, facts, actual['conditions']),
    ...(facts.desired.parents === undefined && !facts.reported ? [] : [parentsPart(facts, actual['parents'])]),
    listenersPart(facts, actual['listeners']),
    addressesPart(reporter, facts, actual['addresses']),
  ].filter((part) => part !== undefined);
  if (!parts.some(({ changed }) => changed)) return undefined;
  return Object.assign({}, ...parts.map(({ value }) => value)) as StatusPatch;
}

type Part = { readonly changed: boolean; readonly value: StatusPatch };

function conditionsPart(reporter: StatusReporter, facts: StatusFacts, given: unknown): Part | undefined {
  const actual = conditionsOf(given);
  const desired = facts.desired.conditions ?? [];
  const wanted = desired.map((each) => written(each, actual, facts));
  const types = new Set(desired.map(({ type }) => type));
  const surplus = facts.reported ? actual.filter(({ type }) => reporter.conditions.includes(type) && !types.has(type)) : [];
  if (wanted.length === 0 && surplus.length === 0) return undefined;
  const changed = surplus.length > 0 || wanted.some((each) => !isDeepStrictEqual(each, knownOf(actual, each.type)));
  if (reporter.write === 'apply') return { changed, value: { conditions: wanted } };
  const others = actual.filter((each) => !types.has(each.type) && !surplus.includes(each));
  return { changed, value: { conditions: [...others, ...wanted] } };
}

/** P2. */
function written(each: Condition, actual: readonly ActualCondition[], { generation, nowMs }: StatusFacts): WrittenCondition {
  const before = knownOf(actual, each.type);
  const since = before?.status === each.status ? before.lastTransitionTime : undefined;
  return {
    type: each.type,
    status: each.status,
    reason: each.reason,
    message: each.message.slice(0, maxMessage),
    lastTransitionTime: since ?? new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...(generation === 0 ? {} : { observedGeneration: generation }),
  };
}

/** A condition as it would be written: what Istio's definitions hold beside it is not ours to compare. */
function knownOf(actual: readonly ActualCondition[], type: string): Partial<WrittenCondition> | undefined {
  const found = actual.find((each) => each.type === type);
  if (found === undefined) return undefined;
  const { status, reason, message, lastTransitionTime, observedGeneration } = found;
  const fields = { type, status, reason, message, lastTransitionTime, observedGeneration: numberOf(observedGeneration) };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<WrittenCondition>;
}

/** Istio's definitions let a number be text. */
function numberOf(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function parentsPart(facts: StatusFacts, given: unknown): Part | undefined {
  const actual = arrayOf(given) as readonly ActualParent[];
  const desired = facts.desired.parents ?? [];
  const ours = (parent: ActualParent): boolean => parent.controllerName?.startsWith('clearmesh.io/') === true;
  const [own, others] = [actual.filter(ours), actual.filter((parent) => !ours(parent))];
  const wanted = desired.map(({ parentRef, controllerName, conditions }) => {
    const before = own.find((parent) => isDeepStrictEqual(parent.parentRef, parentRef));
    return {
      parentRef,
      controllerName,
      conditions: conditions.map((each) => written(each, conditionsOf(before?.conditions), facts)),
    };
  });
  if (wanted.length === 0 && own.length === 0) return undefined;
  return { changed: !isDeepStrictEqual(own, wanted), value: { parents: [...others, ...wanted].slice(0, maxParents) } };
}

/** Of a Gateway. */
function listenersPart(facts: StatusFacts, given: unknown): Part | undefined {
  const { listeners } = facts.desired;
  if (listeners === undefined) return undefined;
  const before = arrayOf(given) as readonly { readonly name?: string; readonly conditions?: unknown }[];
  const wanted = listeners.map((listener) => ({
    ...listener,
    conditions: listener.conditions.map((each) =>
      written(each, conditionsOf(before.find(({ name }) => name === listener.name)?.conditions), facts),
    ),
  }));
  return { changed: !isDeepStrictEqual(byName(before), byName(wanted)), value: { listeners: wanted } };
}

/** Of a Gateway, which has some while it is ready, and of a ServiceEntry. */
function addressesPart({ write }: StatusReporter, { desired, reported }: StatusFacts, given: unknown): Part | undefined {
  const { listeners, addresses } = desired;
  if (addresses === undefined && listeners === undefined) return undefined;
  const [before, wanted] = [arrayOf(given), addresses ?? []];
  const changed = !isDeepStrictEqual(before, wanted);
  // What is applied goes when it is no longer named; elsewhere an empty list says so, of what we wrote ourselves.
  if (write === 'apply') return { changed, value: wanted.length === 0 ? {} : { addresses: wanted } };
  return wanted.length === 0 && !reported ? undefined : { changed, value: { addresses: wanted } };
}

/** The server keeps lists that are maps in an order of its own. */
function byName(listeners: readonly { readonly name?: string; readonly conditions?: unknown }[]): unknown {
  const sorted = listeners.map((listener) => [
    listener.name,
    { ...listener, conditions: Object.fromEntries(conditionsOf(listener.conditions).map((each) => [each.type, each])) },
  ]);
  return Object.fromEntries(sorted) as unknown;
}

function conditionsOf(value: unknown): readonly ActualCondition[] {
  return arrayOf(value).filter(
    (each): each is ActualCondition =>
      each !== null && typeof each === 'object' && 'type' in each && typeof each.type === 'string',
  );
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : {};
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
