/** Conditions `istio.io/WaypointBound` and, of annotations, `clearmesh.io/Accepted` (control-plane-contract section 1.4). */
import { domainOfUnread } from '../manifest/banking-domain.ts';
import { wrongEndpointChoice } from '../derive/endpoint-choice.ts';
import { condition } from './status-report.ts';
import type { Binding } from '../derive/waypoint-binding.ts';
import type { TrafficKind } from '../manifest/gateway.ts';
import type { Condition } from './status-report.ts';

/**
 * @param exists whether the Gateway that is named is a waypoint
 * @param traffic what is bound
 */
export function waypointBound(binding: Binding, exists: boolean, traffic: TrafficKind = 'service'): Condition {
  const effect = binding.address === undefined ? 'traffic does not pass it' : 'calls are refused until it is';
  const message = (text: string): string => `waypoint ${binding.gateway} ${text}`;
  switch (binding.reason) {
    case 'WaypointAccepted':
      return condition(
        'istio.io/WaypointBound',
        'True',
        binding.reason,
        message(`takes the traffic of this ${traffic}${canaryText(binding)}`),
      );
    case 'WaypointIsNotReady':
      return condition(
        'istio.io/WaypointBound',
        'False',
        binding.reason,
        unreadDomain(binding) ?? message(`${exists ? 'is not ready' : 'does not exist, or is of another class'}; ${effect}`),
      );
    case 'AttachmentDenied':
      return condition(
        'istio.io/WaypointBound',
        'False',
        binding.reason,
        message(`does not admit this namespace (allowedRoutes of its listener); ${refused(binding)}`),
      );
    case 'UnsupportedTrafficType':
      return condition(
        'istio.io/WaypointBound',
        'False',
        binding.reason,
        message(`does not take traffic of ${traffic}s (istio.io/waypoint-for); ${refused(binding)}`),
      );
    case 'CrossNamespaceWaypointForbidden':
      return condition(
        'istio.io/WaypointBound',
        'False',
        binding.reason,
        message(`is in another namespace, and the hosts are known in their own alone (exportTo); ${refused(binding)}`),
      );
  }
}

/** Of annotations that cannot be followed; the object is served without them. */
export function endpointChoiceRefused(object: Parameters<typeof wrongEndpointChoice>[0]): readonly Condition[] {
  const wrong = wrongEndpointChoice(object);
  return wrong.length === 0 ? [] : [condition('clearmesh.io/Accepted', 'False', 'UnsupportedValue', wrong.join('; '))];
}

function unreadDomain({ gateway }: Binding): string | undefined {
  const domain = domainOfUnread(gateway.split('/')[1] ?? '');
  return domain === undefined
    ? undefined
    : `the waypoint of BankingDomain ${domain} cannot be read; calls are refused until it is`;
}

/** The condition stays true whatever becomes of a canary, as upstream: its message is what tells. */
function canaryText({ canary }: Binding): string {
  if (canary === undefined) return '';
  if (canary.kind === 'unused') return `; canary ${canary.gateway} takes nothing: ${canary.why}`;
  return `, and canary ${canary.gateway} ${canary.weight} % of it`;
}

function refused(binding: Binding): string {
  return binding.address === undefined ? 'traffic does not pass it' : 'calls are refused';
}
