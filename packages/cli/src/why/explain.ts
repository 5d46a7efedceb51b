/** The answer to `clearmesh why`: every way from FROM to TO, those that fare alike put together. Pure. */
import { meshView } from '../mesh/mesh-view.ts';
import { notInForce } from '../mesh/not-in-force.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import { asIfEnrolled } from '../mesh/running-collections.ts';
import type { Connection, Verdict } from './connection.ts';
import { destinationOf } from './destination.ts';
import type { Destination } from './destination.ts';
import { callers, listed } from './party.ts';
import type { Party } from './party.ts';
import type { AskedRequest, FromReference, ToReference } from './question.ts';
import { calleeFacts } from './callee-facts.ts';
import type { CalleeFacts } from './callee-facts.ts';
import { waysOf } from './ways.ts';

export type Question = { readonly from: FromReference; readonly to: ToReference; readonly asked: AskedRequest };

/** Ways that fare alike: the first stands for all. */
export type Group = { readonly connection: Connection; readonly callers: readonly string[]; readonly callees: readonly string[] };

export type Explanation = {
  readonly origin: string;
  readonly verdict: Verdict;
  readonly because: string;
  readonly changes: readonly string[];
  readonly callers: readonly CallerFacts[];
  readonly to: CalleeFacts;
  readonly groups: readonly Group[];
  /** What would be, if both ends were in the mesh; present where it sees none, or part of it only. */
  readonly inMesh?: Pick<Explanation, 'verdict' | 'because'>;
  readonly remarks: readonly string[];
};

export type CallerFacts = {
  readonly name: string;
  readonly enrolment: string;
  readonly capture: Party['capture'];
  readonly identity: string;
  readonly node: string;
};

export function explain(view: MeshView, question: Question): Explanation {
  const explanation = explainAsIs(view, question);
  const seen = explanation.groups.every(
    ({ connection }) => connection.guarded && connection.hops.every(({ by }) => by !== 'plain'),
  );
  if (seen) return explanation;
  const enrolled = asIfEnrolled(view.collections, view.options.rootNamespace);
  const { verdict, because, groups } = explainAsIs(meshView({ ...view, collections: enrolled }, view.nowMs), question);
  // A destination outside, or a pod that opts out, stays what it is.
  const differs = verdict !== explanation.verdict || because !== explanation.because;
  return differs && groups.some(({ connection }) => connection.guarded)
    ? { ...explanation, inMesh: { verdict, because } }
    : explanation;
}

function explainAsIs(view: MeshView, { from, to, asked }: Question): Explanation {
  const parties = callers(view, from);
  const destination = destinationOf(view, to);
  const groups = grouped(parties.flatMap((party) => waysOf(view, party, destination, asked)));
  return {
    origin: view.origin,
    ...overall(groups, destination),
    callers: parties.map(factsOf),
    to: calleeFacts(view, destination),
    groups,
    remarks: [...view.remarks, ...brokenObjects(view, parties, destination)],
  };
}

function grouped(connections: readonly Connection[]): readonly Group[] {
  const alike = Map.groupBy(connections, ({ verdict, because, callee = '', caller }) =>
    `${verdict} ${because.replaceAll(callee === '' ? caller : callee, '')}`.replaceAll(/\d+\.\d+\.\d+\.\d+/g, ''),
  );
  return [...alike.values()].flatMap((all) => {
    const [connection] = all;
    if (connection === undefined) return [];
    const names = (values: readonly (string | undefined)[]): readonly string[] => [
      ...new Set(values.filter((value) => value !== undefined)),
    ];
    return [{ connection, callers: names(all.map(({ caller }) => caller)), callees: names(all.map(({ callee }) => callee)) }];
  });
}

function overall(groups: readonly Group[], to: Destination): Pick<Explanation, 'verdict' | 'because' | 'changes'> {
  const connections = groups.map(({ connection }) => connection);
  const [first] = connections;
  if (first === undefined) {
    return {
      verdict: 'REFUSED',
      because: `${to.name} has no address: no pod of it runs`,
      changes: ['See why no pod of it is ready: clearmesh describe service.'],
    };
  }
  const verdicts = new Set(connections.map(({ verdict }) => verdict));
  const changes = [...new Set(connections.flatMap((connection) => connection.changes))];
  if (connections.length === 1) return { verdict: first.verdict, because: first.because, changes };
  if (verdicts.size === 1)
    return { verdict: first.verdict, because: connections.map(({ because }) => because).join('; '), changes };
  const told = groups.map(
    ({ connection, callers: from, callees }) =>
      `${connection.verdict} from ${listed(from)}${callees.length === 0 ? '' : ` to ${listed(callees)}`}`,
  );
  return { verdict: 'DEPENDS', because: `not every way fares alike: ${told.join('; ')}`, changes };
}

function factsOf({ name, enrolment, capture, identity, node }: Party): CallerFacts {
  return { name, enrolment: `${enrolment.kind}: ${enrolment.explanation}`, capture, identity, node };
}

/** An object that is left out may be the very policy that somebody counts on. */
function brokenObjects({ problems, options }: MeshView, parties: readonly Party[], to: Destination): readonly string[] {
  const namespaces = new Set([
    ...parties.map(({ name }) => name.split('/')[0] ?? ''),
    to.service?.namespace ?? to.name.split('/')[0] ?? '',
    options.rootNamespace,
  ]);
  const concerns = (object: string): boolean =>
    object.startsWith('BankingDomain ') || namespaces.has(/ ([^/ ]+)\//.exec(object)?.[1] ?? '');
  return problems.filter(({ object }) => concerns(object)).map(notInForce);
}
