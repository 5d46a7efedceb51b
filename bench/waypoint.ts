/** The question: what does the waypoint cost? In three parts, each with its own baseline and its own paths. */
import type { WaypointAnswer, WaypointBenchOptions } from './waypoint/answer.ts';
import { benchForwarding } from './waypoint/forwarding.ts';
import { benchOpa } from './waypoint/opa.ts';
import { benchTrio } from './waypoint/trio.ts';

export type WaypointPart = 'forwarding' | 'trio' | 'opa';

const benches: Readonly<Record<WaypointPart, (options: WaypointBenchOptions) => Promise<WaypointAnswer>>> = {
  forwarding: benchForwarding,
  trio: benchTrio,
  opa: benchOpa,
};

export const waypointParts = Object.keys(benches) as readonly WaypointPart[];

/** One part after the other, so that none has the paths of another running beside it. */
export async function benchWaypoint(
  options: WaypointBenchOptions,
  parts: readonly WaypointPart[],
): Promise<readonly WaypointAnswer[]> {
  const answers: WaypointAnswer[] = [];
  for (const part of parts) answers.push(await benches[part](options));
  return answers;
}
