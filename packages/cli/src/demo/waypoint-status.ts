/** What the waypoint's administration tells of one backend: breakers of its routes, and which endpoints are out of rotation. */
import type { World } from './world.ts';
import { waypointPod } from './world.ts';

export type BackendView = {
  /** How many endpoints are ejected. */
  readonly ejected: number;
  /** States of the breakers, such as `open`. */
  readonly breakers: readonly string[];
};

type Status = {
  readonly breakers?: Readonly<Record<string, readonly { readonly state?: string }[]>>;
  readonly outliers?: Readonly<Record<string, { readonly ejected?: number }>>;
};

/** @param service such as `balances`: the backend whose hostname begins with it */
export async function backendView(world: Pick<World, 'admin'>, service: string, signal: AbortSignal): Promise<BackendView> {
  const { breakers = {}, outliers = {} } = (await world.admin(waypointPod, '/status', signal)) as Status;
  const of = <T>(record: Readonly<Record<string, T>>): T | undefined =>
    Object.entries(record).find(([key]) => key.includes(`/${service}.`))?.[1];
  return {
    ejected: of(outliers)?.ejected ?? 0,
    breakers: (of(breakers) ?? []).map(({ state = 'unknown' }) => state),
  };
}
