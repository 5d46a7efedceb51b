/** Load-balancing presets of a Service (control-plane-contract section 2.4). */
import type { LoadBalancing } from '@clearmesh/shared/model/service';
import type { NamespaceManifest } from '../manifest/namespace.ts';
import type { ServiceManifest } from '../manifest/service.ts';

type Preset = Pick<LoadBalancing, 'mode' | 'routingPreference'>;

const annotation = 'networking.istio.io/traffic-distribution';
const sameZone: Preset = { mode: 'FAILOVER', routingPreference: ['NETWORK', 'REGION', 'ZONE'] };
const sameNode: Preset = { mode: 'FAILOVER', routingPreference: ['NETWORK', 'REGION', 'ZONE', 'SUBZONE', 'NODE'] };
const nodeOnly: Preset = { mode: 'STRICT', routingPreference: ['NODE'] };

const presets: ReadonlyMap<string, Preset> = new Map([
  ['PreferClose', sameZone],
  ['PreferSameZone', sameZone],
  ['PreferSameNode', sameNode],
]);

/** The service's load balancing, or `undefined` for random over healthy endpoints. */
export function loadBalancingOf(service: ServiceManifest, namespace: NamespaceManifest | undefined): LoadBalancing | undefined {
  const allowAll = service.spec?.publishNotReadyAddresses === true;
  const preset = presetOf(service, namespace);
  if (preset === undefined && !allowAll) return undefined;
  return {
    routingPreference: preset?.routingPreference ?? [],
    mode: preset?.mode ?? 'UNSPECIFIED',
    healthPolicy: allowAll ? 'ALLOW_ALL' : 'ONLY_HEALTHY',
  };
}

function presetOf(service: ServiceManifest, namespace: NamespaceManifest | undefined): Preset | undefined {
  const { internalTrafficPolicy, trafficDistribution } = service.spec ?? {};
  if (internalTrafficPolicy === 'Local') return nodeOnly;
  const own = trafficDistribution ?? service.metadata.annotations?.[annotation];
  // `Any` at the service cancels the namespace's wish; an unknown word is no wish.
  if (own === 'Any') return undefined;
  return presets.get(own ?? '') ?? presets.get(namespace?.metadata.annotations?.[annotation] ?? '');
}
