import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Registers clearmesh_local_configuration_stale; set with whether the file says something else than what serves. */
export function registerFreshness(registry: Registry): (isStale: boolean) => void {
  const gauge = new Gauge({
    name: 'clearmesh_local_configuration_stale',
    help: '1 while the local configuration cannot be used and its last good version serves',
    registers: [registry],
  });
  return (isStale) => gauge.set(isStale ? 1 : 0);
}
