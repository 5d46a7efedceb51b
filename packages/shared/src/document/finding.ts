/** A problem before it is known in which file it stands: checks are pure functions from an object to findings. */
import type { FieldPath } from './field-path.ts';

export type Finding = {
  readonly path: FieldPath;
  /** Where to point: the name of the field for names that should not be there. @default 'value' */
  readonly at?: 'key' | 'value';
  readonly value?: unknown;
  readonly message: string;
  readonly remedy: string;
};
