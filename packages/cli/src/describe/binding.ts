import type { Binding } from '@clearmesh/control-plane/derive/waypoint-binding';

/** What became of a label that names a waypoint. */
export function bindingText(binding: Binding | undefined, what: string): string {
  if (binding === undefined) return `none is asked for ${what}`;
  const effect =
    binding.address === undefined
      ? 'traffic does not pass it'
      : binding.reason === 'WaypointAccepted'
        ? 'takes the traffic'
        : 'calls are refused';
  return `${binding.gateway}: ${binding.reason}, ${effect}`;
}
