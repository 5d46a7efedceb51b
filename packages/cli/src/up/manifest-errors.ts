/** Why a directory of manifests starts nothing. */
import { relative } from 'node:path';
import { problemError } from '@clearmesh/shared/document/problem';
import type { Problem } from '@clearmesh/shared/document/problem';

export class ManifestErrors extends Error {
  override readonly name = 'ManifestErrors';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const files = new Set(problems.map(({ file }) => file)).size;
    const where = files > 1 ? `the manifests, ${files} files of them` : 'the manifests';
    super(`${problems.length} ${problems.length === 1 ? 'error' : 'errors'} in ${where}`);
    this.problems = problems;
  }
}

/** Problems with one remedy that are told one by one: more of them have one cause. */
const maxTold = 20;

/**
 * A line a problem: file, line, column, object, field, value. What one remedy is for stands together, by file, and the remedy
 * beneath. Files are named as seen from here where that is shorter, also where a message names another one.
 */
export function explainProblems(problems: readonly Problem[]): string {
  const byRemedy = Map.groupBy(problems, ({ remedy }) => remedy);
  return Array.from(byRemedy, ([remedy, group]) => {
    const lines = group.slice(0, maxTold).map((problem) => problemError(seenFromHere(problem)).message);
    if (group.length > maxTold) lines.push(`… and ${group.length - maxTold} more like these`);
    return `${lines.join('\n')}\n  → ${remedy}`;
  }).join('\n');
}

function seenFromHere(problem: Problem): Problem {
  const here = process.cwd();
  const message = here === '/' ? problem.message : problem.message.replaceAll(`${here}/`, '');
  return { ...problem, file: shorter(problem.file, here), message };
}

function shorter(file: string, here: string): string {
  const seen = relative(here, file);
  return seen.length < file.length ? seen : file;
}
