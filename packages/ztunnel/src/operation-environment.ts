/** How a node proxy behaves towards those who run it, by environment; none of it is upstream's. */
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';

export type OperationConfig = {
  /** Applications learn of refused, failed and reset connections by a reset rather than an end. @default false */
  readonly resets: boolean;
};

/** `PROPAGATE_RESETS`. */
export function readOperation(reader: EnvironmentReader): OperationConfig {
  return { resets: reader.boolean('PROPAGATE_RESETS', false) };
}
