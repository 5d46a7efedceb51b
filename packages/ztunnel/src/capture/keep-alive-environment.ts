/** When a silent peer of the proxy's TCP sockets is given up, by environment (l4-contract sections 1 and 12). */
import type { KeepAlive } from '@clearmesh/linux/socket-options';
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';

/** MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL of Linux, seconds. */
const maxSeconds = 32_767;
/** MAX_TCP_KEEPCNT of Linux. */
const maxProbes = 127;
/** TCP_USER_TIMEOUT is an int of milliseconds. */
const maxUserTimeoutSeconds = Math.floor(0x7fff_ffff / 1000);

/** `KEEPALIVE_*` and `USER_TIMEOUT_ENABLED`; the one works without the other. */
export function readKeepAlive(reader: EnvironmentReader): KeepAlive {
  const idleSeconds = seconds(reader, 'KEEPALIVE_TIME');
  const intervalSeconds = seconds(reader, 'KEEPALIVE_INTERVAL');
  const probes = reader.integer('KEEPALIVE_RETRIES', 9, { min: 1, max: maxProbes });
  const userTimeout = reader.boolean('USER_TIMEOUT_ENABLED', false);
  if (userTimeout && idleSeconds + intervalSeconds * probes > maxUserTimeoutSeconds)
    reader.reject(
      'USER_TIMEOUT_ENABLED',
      `KEEPALIVE_TIME + KEEPALIVE_INTERVAL × KEEPALIVE_RETRIES is more than ${maxUserTimeoutSeconds}s; make one of them smaller`,
    );
  return { probing: reader.boolean('KEEPALIVE_ENABLED', true), idleSeconds, intervalSeconds, probes, userTimeout };
}

function seconds(reader: EnvironmentReader, name: string): number {
  const value = reader.durationMs(name, 180_000) / 1000;
  if (Number.isInteger(value) && value >= 1 && value <= maxSeconds) return value;
  reader.reject(name, `set it to whole seconds from 1s to ${maxSeconds}s`);
  return 180;
}
