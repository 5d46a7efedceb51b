/** Policies at a waypoint that cannot be read, and because of which nobody passes. Pure. */
import type { BoundService, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { PolicyFinding } from './connection.ts';

type Unread = { readonly object: string; readonly stage: 'tokens' | 'opa'; readonly why: string };

/**
 * In the order in which the waypoint asks them.
 * @param opaque no request is seen, and no token
 */
export function unreadPolicies(
  { bound, configuration }: { readonly bound: BoundService; readonly configuration: WaypointConfiguration },
  opaque: boolean,
): readonly Unread[] {
  const { jwt, opa } = configuration.policies;
  const tokens = (opaque ? [] : bound.jwt).flatMap((object): readonly Unread[] => {
    const told = jwt[object];
    if (told === undefined || !('unread' in told) || told.unread !== 'all') return [];
    return [{ object, stage: 'tokens', why: 'it cannot be read, so that nobody knows its tokens' }];
  });
  const decisions = bound.opa.flatMap((object): readonly Unread[] => {
    const engine = opa[object]?.engine;
    return engine?.kind === 'none' ? [{ object, stage: 'opa', why: engine.reason }] : [];
  });
  return [...tokens, ...decisions];
}

export function unreadFinding(object: string, why: string): PolicyFinding {
  return { object, action: 'DENY', at: 'waypoint', dryRun: false, outcome: 'matches', says: [why], decides: true };
}
