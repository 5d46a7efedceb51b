import type { EnvironmentReader } from './environment.ts';

/** Section 12: without an explicit deadline it follows from the pod's grace period, which must not run out first. */
export function readTerminationDeadline(reader: EnvironmentReader): number {
  const grace = reader.text('TERMINATION_GRACE_PERIOD_SECONDS', '');
  if (grace === '' || reader.text('CONNECTION_TERMINATION_DEADLINE', '') !== '')
    return reader.durationMs('CONNECTION_TERMINATION_DEADLINE', 5_000);
  const seconds = reader.integer('TERMINATION_GRACE_PERIOD_SECONDS', 30, { min: 1, max: 86_400 });
  return 1_000 * Math.max(1, seconds > 10 ? seconds - 5 : seconds - 1);
}
