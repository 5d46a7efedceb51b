/** Status of waypoint Gateways (control-plane-contract section 3, Status). */
import { formatGatewayAddress } from './gateway-address-text.ts';
import { addressOf } from '../derive/waypoint-binding.ts';
import { hbonePort } from '../manifest/gateway.ts';
import { condition } from './status-report.ts';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { MeshModel } from '../derive/mesh-model.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { Readiness } from '../derive/waypoint-binding.ts';
import type { GatewayManifest, ListenerManifest } from '../manifest/gateway.ts';
import type { Condition, GatewayStatusAddress, ObjectStatus } from './status-report.ts';

/** Pods of a waypoint that refused their configuration, with the reason. */
export type Refusals = ReadonlyMap<string, string>;

export type GatewaySurroundings = {
  readonly model: MeshModel;
  readonly options: DeriveOptions;
  readonly isReady: Readiness;
};

export function gatewayStatus(
  gateway: GatewayManifest,
  { model, options, isReady }: GatewaySurroundings,
  refusals: Refusals = new Map(),
): ObjectStatus {
  const address = addressOf(gateway, options);
  const ready = address !== undefined && isReady(address);
  return {
    conditions: [
      condition('Accepted', 'True', 'Accepted', 'the Gateway is a waypoint of this mesh'),
      programmed(address, ready, refusals),
      condition('ResolvedRefs', 'True', 'ResolvedRefs', 'all references are resolved'),
    ],
    ...(ready ? { addresses: addressStatuses(gateway, address, model) } : {}),
    listeners: (gateway.spec.listeners ?? []).map((listener) => ({
      name: listener.name,
      conditions: listenerConditions(listener),
    })),
  };
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

/** The addresses of its Service, then the name, as upstream. */
function addressStatuses(
  { metadata }: GatewayManifest,
  address: GatewayAddress,
  { services }: MeshModel,
): readonly GatewayStatusAddress[] {
  const all: readonly GatewayStatusAddress[] =
    address.kind === 'address'
      ? [{ type: 'IPAddress', value: address.address.ip }]
      : [...ipsOf(address.namespace, address.hostname, services), { type: 'Hostname', value: address.hostname }];
  const wanted = metadata.annotations?.[addressTypeAnnotation];
  return wanted === undefined ? all : all.filter(({ type }) => type === wanted);
}

function ipsOf(namespace: string, hostname: string, services: MeshModel['services']): readonly GatewayStatusAddress[] {
  const service = services.find(({ key }) => key === serviceKey(namespace, hostname));
  return (service?.addresses ?? []).map(({ ip }) => ({ type: 'IPAddress', value: ip }));
}

/** It runs elsewhere: nobody here can say whether it is ready. */
export function remoteGatewayStatus(gateway: GatewayManifest, options: DeriveOptions): ObjectStatus {
  const address = addressOf(gateway, options);
  const { addresses = [] } = gateway.spec;
  return {
    conditions: [
      condition('Accepted', 'True', 'Accepted', 'the Gateway names a waypoint that runs elsewhere'),
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
