/** Addresses of a workload that is known by name only, looked up when a connection needs them (l4-contract section 7.2). */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { completeLookup } from '../resolve/outbound.ts';
import type { LookupRoute, Route } from '../resolve/route.ts';

export type NameLookupDeps = {
  readonly lookUp: (hostname: string, signal: AbortSignal) => Promise<readonly IpAddress[]>;
  readonly random: Random;
  readonly metrics: { nameLookedUp(source: Workload, hostname: string): void };
};

/** The final route. */
export async function lookUpRoute(
  route: LookupRoute,
  source: Workload,
  { lookUp, random, metrics }: NameLookupDeps,
  signal: AbortSignal,
): Promise<Exclude<Route, LookupRoute>> {
  metrics.nameLookedUp(source, route.hostname);
  return completeLookup(route, await lookUp(route.hostname, signal), random);
}
