/** Findings and faults of one document as problems, with their place in its file. */
import { pathText } from './field-path.ts';
import type { Finding } from './finding.ts';
import { valueText } from './problem.ts';
import type { Problem } from './problem.ts';
import type { YamlDocument } from './yaml-documents.ts';

/** A finding with its place. */
export function findingProblem(
  finding: Finding,
  code: Problem['code'],
  file: string,
  object: string,
  locate: YamlDocument['locate'],
): Problem {
  const { path, at, value, message, remedy } = finding;
  return { code, file, ...locate(path, at), object, field: pathText(path), value: valueText(value), message, remedy };
}

/** A text that is no YAML: nothing of the file can be used. */
export function yamlProblem(file: string, line: number, column: number, message: string): Problem {
  return {
    code: 'MESH-CONFIG-001',
    file,
    line,
    column,
    object: '',
    field: '',
    value: '',
    message,
    remedy: 'Mend the YAML at this place; the document may be cut off.',
  };
}
