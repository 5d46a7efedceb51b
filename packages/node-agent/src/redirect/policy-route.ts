/**
 * The return path: marked replies are delivered locally, whatever address they are for (l4-contract section 6). As lines
 * for `ip -force -batch -`, each with the complaints that only say it is so already. Pure.
 */
import { MARK_MASK, REPLY_MARK } from './pod-rules.ts';

export type RouteFamily = 4 | 6;

export type RouteScript = {
  readonly family: RouteFamily;
  readonly lines: readonly string[];
  /** What ip may print although the state is as wanted. */
  readonly harmless: RegExp;
};

const TABLE = 100;
const PREFERENCE = 32_764;
const RULE = `fwmark 0x${REPLY_MARK.toString(16)}/0x${MARK_MASK.toString(16)} pref ${PREFERENCE} lookup ${TABLE}`;

/** Adds rule and route; repeatable. */
export function installRoutes(family: RouteFamily): RouteScript {
  return {
    family,
    lines: [`rule add ${RULE}`, `route replace ${routeOf(family)}`],
    harmless: /^RTNETLINK answers: File exists$/,
  };
}

/** Removes both; repeatable. */
export function removeRoutes(family: RouteFamily): RouteScript {
  const harmless =
    /^(RTNETLINK answers: (No such file or directory|No such process)|Error: (ipv4: )?FIB table does not exist\.)$/;
  return { family, lines: [`rule del ${RULE}`, `route del ${routeOf(family)}`], harmless };
}

/** Words for ip that list the rule, and the route. */
export const listRule: readonly string[] = ['rule', 'show', 'pref', String(PREFERENCE)];
export const listRoute: readonly string[] = ['route', 'show', 'table', String(TABLE)];

export function hasRule(listing: string): boolean {
  return listing.includes(`fwmark 0x${REPLY_MARK.toString(16)}/0x${MARK_MASK.toString(16)} lookup ${TABLE}`);
}

export function hasRoute(listing: string): boolean {
  return /^local default dev lo\b/m.test(listing);
}

function routeOf(family: RouteFamily): string {
  return `local ${family === 4 ? '0.0.0.0/0' : '::/0'} dev lo table ${TABLE}`;
}
