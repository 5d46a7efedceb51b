/** What is wrong with the configuration, where, and what to do about it. */
import { MeshError } from '../observe/mesh-error.ts';
import type { MeshErrorCode } from '../observe/error-codes.ts';
import type { LogFields } from '../observe/log.ts';

export type Problem = {
  /** 001: one object is wrong in itself; 002: two contradict each other. */
  readonly code: 'MESH-CONFIG-001' | 'MESH-CONFIG-002';
  /** "" for objects of an API server. */
  readonly file: string;
  /** From 1; 0 where there is no file. */
  readonly line: number;
  /** From 1; 0 where there is no file. */
  readonly column: number;
  /** Kind and name, such as `Pod payments/payments-0`; "" when the text has no object to name. */
  readonly object: string;
  /** Path of the field, such as `spec.rules[0].to[0].operation.ports[1]`; "" for the object as a whole. */
  readonly field: string;
  /** The value as text, shortened; "" when there is none. */
  readonly value: string;
  readonly message: string;
  readonly remedy: string;
  /** What holds in the object's place, as a sentence. @default its last good version, or nothing of it */
  readonly effect?: string;
};

/** The problem as an error: everything in the message, the remedy as hint. */
export function problemError(problem: Problem): MeshError {
  const { file, line, column, object, field, value, message, remedy } = problem;
  const subject = [object, field].filter((part) => part !== '').join(': ');
  const found = value === '' ? '' : ` (found ${value})`;
  const place = file === '' ? '' : `${file}:${line}:${column}: `;
  return new MeshError(problem.code, {
    message: `${place}${subject === '' ? '' : `${subject}: `}${message}${found}`,
    hint: remedy,
  });
}

/** Problems told one by one; a text with more has one cause. */
const maxTold = 20;

/** All problems of one text as one error, a line each with its remedy. @param what is unusable, as in `the mesh file a.yaml` */
export function problemsError(code: MeshErrorCode, what: string, problems: readonly Problem[]): MeshError {
  const told = problems.slice(0, maxTold).map((problem) => problemError(problem).explain());
  const more = problems.length > maxTold ? [`… and ${problems.length - maxTold} more`] : [];
  return new MeshError(code, {
    message: `${what} cannot be used, ${problems.length} problem(s):\n${[...told, ...more].join('\n')}`,
    hint: 'Mend what is named above: it is taken as a whole or not at all.',
  });
}

/** The problem as fields of one log line. */
export function problemFields(problem: Problem): LogFields {
  const { code, file, line, column, object, field, value, remedy, effect } = problem;
  const place = file === '' ? {} : { file, line, column };
  return { code, ...place, object, field, value, remedy, ...(effect === undefined ? {} : { effect }) };
}

/** A value as messages show it: JSON, at most 120 characters; credentials in URLs are left out, since it goes to the log. */
export function valueText(value: unknown): string {
  if (value === undefined) return '';
  const text = jsonOf(value).replaceAll(/:\/\/[^/@\s"]*@/g, '://…@');
  return text.length <= 120 ? text : `${text.slice(0, 117)}…`;
}

/** An alias inside its own anchor makes a circle, which has no JSON. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '(a value that contains itself)';
  }
}
