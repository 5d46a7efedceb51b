/**
 * All objects of a cluster as one configuration.
 *
 * Unlike a directory it is taken though parts of it are wrong: objects have many authors here, and one of them must not
 * stop the others. What is wrong is left out by whole objects, and told of; a policy is stood for.
 */
import { collect } from '../manifest/collections.ts';
import { checkSurroundings } from './check-surroundings.ts';
import { pathText } from '@clearmesh/shared/document/field-path';
import { valueText } from '@clearmesh/shared/document/problem';
import type { Collections, Manifest } from '../manifest/collections.ts';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { StoredObject } from './object-store.ts';

export type ClusterSnapshot = {
  readonly collections: Collections;
  /** Of those in force as somebody wrote them. */
  readonly objects: number;
  readonly problems: readonly Problem[];
};

/** By kind. */
export type StoredKinds = ReadonlyMap<string, Iterable<StoredObject>>;

export function clusterSnapshot(kinds: StoredKinds): ClusterSnapshot {
  const candidates: { readonly manifest: Manifest; readonly title: string }[] = [];
  const standIns: Manifest[] = [];
  const problems: Problem[] = [];
  for (const [kind, objects] of kinds) {
    for (const { object, manifest, standIn } of objects) {
      const title = `${kind} ${object.key}`;
      if (object.reading.kind === 'wrong') {
        const effect = standIn === undefined ? {} : { effect: standIn.effect };
        problems.push(
          ...object.reading.findings.map((each) => ({ ...clusterProblem(each, 'MESH-CONFIG-001', title), ...effect })),
        );
      }
      if (manifest !== undefined) candidates.push({ manifest, title });
      if (standIn !== undefined) standIns.push(standIn.manifest);
    }
  }
  // Around another object the last good version may be as wrong as this one: what is misplaced is in force in none.
  const misplaced = checkSurroundings(candidates, false, standIns);
  problems.push(...misplaced.map(({ at, finding }) => clusterProblem(finding, 'MESH-CONFIG-002', at.title)));
  const out = new Set(misplaced.map(({ at }) => at));
  const taken = candidates.filter((candidate) => !out.has(candidate)).map(({ manifest }) => manifest);
  return { collections: collect([...taken, ...standIns]), objects: taken.length, problems };
}

function clusterProblem({ path, value, message, remedy }: Finding, code: Problem['code'], object: string): Problem {
  return { code, file: '', line: 0, column: 0, object, field: pathText(path), value: valueText(value), message, remedy };
}
