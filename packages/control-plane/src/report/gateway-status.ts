/** Status of waypoint Gateways (control-plane-contract section 3, Status). */
import { formatGatewayAddress } from './gateway-address-text.ts';
import { addressOf } from '../derive/waypoint-binding.ts';
import { hbonePort, isManaged, networkOf } from '../manifest/gateway.ts';
import { clusterIps } from '../manifest/service.ts';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { condition } from './status-report.ts';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { DeriveOptions } from '../derive/options.ts';
import type { Readiness } from '../derive/waypoint-binding.ts';
import type { GatewayManifest, ListenerManifest } from '../manifest/gateway.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { Condition, GatewayStatusAddress, ObjectStatus } from './status-report.ts';

/** Pods of a waypoint that refused their configuration, with the reason. */
export type Refusals = ReadonlyMap<string, string>;

export type GatewayFacts = {
  readonly isReady: Readiness;
  /** All there are, by key: a waypoint is reached at one of them. */
  readonly services: ReadonlyMap<ServiceKey, ServiceManifest>;
  /** @default none */
  readonly refusals?: Refusals | undefined;
  /** Why nothing can be made for it. */
  readonly invalidParameters?: string | undefined;
};

export function gatewayStatus(gateway: GatewayManifest, options: DeriveOptions, facts: GatewayFacts): ObjectStatus {
  const { isReady, services, refusals = new Map(), invalidParameters } = facts;
  const address = addressOf(gateway, options);
  const service = address?.kind === 'hostname' ? services.get(serviceKey(address.namespace, address.hostname)) : undefined;
  const ready = address !== undefined && isReady(address);
  return {
    conditions: [
      invalidParameters === undefined
        ? condition('Accepted', 'True', 'Accepted', 'the Gateway is a waypoint of this mesh')
        : condition('Accepted', 'False', 'InvalidParameters', invalidParameters),
      isManaged(gateway) && service === undefined ? noService(gateway) : programmed(address, ready, refusals),
      condition('ResolvedRefs', 'True', 'ResolvedRefs', 'all references are resolved'),
    ],
    ...(ready ? { addresses: addressStatuses(gateway, address, service) } : {}),
    listeners: (gateway.spec.listeners ?? []).map((listener) => ({
      name: listener.name,
      // Routes are attached to Services; one that names a waypoint's Gateway has no effect.
      attachedRoutes: 0,
      supportedKinds: [],
      conditions: listenerConditions(listener),
    })),
  };
}

function noService({ metadata }: GatewayManifest): Condition {
  const message = `there is no Service ${metadata.namespace}/${metadata.name} yet; calls that need the waypoint are refused`;
  return condition('Programmed', 'False', 'AddressNotUsable', message);
}

function programmed(address: GatewayAddress | undefined, ready: boolean, refusals: Refusals): Condition {
  const [refusal] = refusals;
  if (refusal !== undefined) {
    const [pod, reason] = refusal;
    const others = refusals.size === 1 ? '' : `; ${refusals.size - 1} more pods refuse theirs`;
    const message = `pod ${pod} refuses its configuration, and serves the last one it took: ${reason}${others}`;
    return condition('Programmed', 'False', 'Invalid', message);
  }
  if (address === undefined) return condition('Programmed', 'False', 'UnsupportedAddress', 'spec.addresses names no address');
  const where = formatGatewayAddress(address);
  if (ready) return condition('Programmed', 'True', 'Programmed', `the waypoint is served at ${where}`);
  return condition(
    'Programmed',
    'False',
    'AddressNotAssigned',
    `no pod is ready behind ${where}; calls that need it are refused`,
  );
}

/** Annotation: which type of address is shown. @default both */
const addressTypeAnnotation = 'networking.istio.io/address-type';

/** Addresses before the name, as upstream; a headless Service has none of its own. */
function addressStatuses(
  { metadata }: GatewayManifest,
  address: GatewayAddress,
  service: ServiceManifest | undefined,
): readonly GatewayStatusAddress[] {
  const all = allAddresses(address, service);
  const wanted = metadata.annotations?.[addressTypeAnnotation];
  return wanted === undefined ? all : all.filter(({ type }) => type === wanted);
}

function allAddresses(address: GatewayAddress, service: ServiceManifest | undefined): readonly GatewayStatusAddress[] {
  if (address.kind === 'address') return [{ type: 'IPAddress', value: address.address.ip }];
  const ips = service === undefined ? [] : clusterIps(service);
  return [...ips.map((value) => ({ type: 'IPAddress', value }) as const), { type: 'Hostname', value: address.hostname }];
}

/** Nothing is made for it, and nobody is sent there. */
export function idleGatewayStatus(reason: string): ObjectStatus {
  return {
    conditions: [condition('Accepted', 'False', 'Invalid', reason), condition('Programmed', 'False', 'Invalid', reason)],
  };
}

/** It runs elsewhere: nobody here can say whether it is ready. */
export function remoteGatewayStatus(gateway: GatewayManifest, options: DeriveOptions): ObjectStatus {
  const address = addressOf(gateway, options);
  const { addresses = [] } = gateway.spec;
  return {
    conditions: [
      condition(
        'Accepted',
        'True',
        'Accepted',
        `the Gateway names ${networkOf(gateway) === undefined ? 'a waypoint' : 'the gateway of a network'} that runs elsewhere`,
      ),
      address === undefined
        ? condition('Programmed', 'False', 'UnsupportedAddress', 'spec.addresses names no address')
        : condition('Programmed', 'True', 'Programmed', `traffic is sent to ${formatGatewayAddress(address)}`),
    ],
    addresses: addresses.flatMap(({ type = 'IPAddress', value }) =>
      value !== undefined && (type === 'IPAddress' || type === 'Hostname') ? [{ type, value }] : [],
    ),
  };
}

function listenerConditions({ protocol, port }: ListenerManifest): readonly Condition[] {
  const tunnels = protocol === 'HBONE' && port === hbonePort;
  const why = `a waypoint listens for HBONE on port ${hbonePort} only`;
  return [
    tunnels ? condition('Accepted', 'True', 'Accepted', 'no errors') : condition('Accepted', 'False', 'UnsupportedProtocol', why),
    condition('Conflicted', 'False', 'NoConflicts', 'no errors'),
    tunnels ? condition('Programmed', 'True', 'Programmed', 'no errors') : condition('Programmed', 'False', 'Invalid', why),
    condition('ResolvedRefs', 'True', 'ResolvedRefs', 'no errors'),
  ];
}
