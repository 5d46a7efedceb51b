/** Errors as the CNI specification words them (section "Error"): a code, a sentence, and details with the remedy. */

/** Codes of the specification that are used here; those from 100 up are the plugin's own. */
export const cniCodes = {
  incompatibleVersion: 1,
  badEnvironment: 4,
  ioFailure: 5,
  undecodable: 6,
  badConfiguration: 7,
  tryAgainLater: 11,
  /** Answer to STATUS: ADD cannot be served. */
  unavailable: 50,
  /** The rules could not be installed in the pod. */
  rulesFailed: 101,
  /** Answer to CHECK: the pod is in the mesh, and its rules are not what they have to be. */
  rulesMissing: 103,
} as const;

export type CniCode = (typeof cniCodes)[keyof typeof cniCodes];

export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;
  /** What to do about it. */
  readonly details: string;

  constructor(code: number, message: string, details: string) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The error object that goes to standard output. */
export function errorObject(error: CniError, cniVersion: string): string {
  return JSON.stringify({ cniVersion, code: error.code, msg: error.message, details: error.details });
}
