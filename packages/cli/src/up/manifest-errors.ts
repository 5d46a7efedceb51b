/** Why a directory of manifests starts nothing. */
import { relative } from 'node:path';
import { problemError } from '@clearmesh/shared/document/problem';
import type { Problem } from '@clearmesh/shared/document/problem';

export class ManifestErrors extends Error {
  override readonly name = 'ManifestErrors';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`${problems.length} ${problems.length === 1 ? 'error' : 'errors'} in the manifests`);
    this.problems = problems;
  }
}

/** One block a problem: file (as seen from here, where that is shorter), line, field, value, and what to do. */
export function explainProblems(problems: readonly Problem[]): string {
  return problems.map((problem) => problemError({ ...problem, file: shorter(problem.file) }).explain()).join('\n');
}

function shorter(file: string): string {
  const seen = relative(process.cwd(), file);
  return seen.length < file.length ? seen : file;
}
