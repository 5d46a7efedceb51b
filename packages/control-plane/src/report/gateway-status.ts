/** Status of waypoint Gateways (control-plane-contract section 3, Status). */
import { formatGatewayAddress } from './gateway-address-text.ts';
import { addressOf } from '../derive/waypoint-binding.ts';
import { hbonePort } from '../manifest/gateway.ts';
import { condition } from './status-report.ts';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { DeriveOptions } from '../derive/options.ts';
import type { Readiness } from '../derive/waypoint-binding.ts';
import type { GatewayManifest, ListenerManifest } from '../manifest/gateway.ts';
import type { Condition, ObjectStatus } from './status-report.ts';

/** Pods of a waypoint that refused their configuration, with the reason. */
export type Refusals = ReadonlyMap<string, string>;

export function gatewayStatus(
  gateway: GatewayManifest,
  options: DeriveOptions,
  isReady: Readiness,
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
    ...(ready ? { addresses: [addressStatus(address)] } : {}),
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

function addressStatus(address: GatewayAddress): { readonly type: 'IPAddress' | 'Hostname'; readonly value: string } {
  return address.kind === 'hostname'
    ? { type: 'Hostname', value: address.hostname }
    : { type: 'IPAddress', value: address.address.ip };
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
