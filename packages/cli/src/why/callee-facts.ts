/** What the mesh knows of a destination. Pure. */
import type { MeshView } from '../mesh/mesh-view.ts';
import { captureOf } from '../mesh/capture.ts';
import type { Destination } from './destination.ts';

export type CalleeFacts = {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Of the Service meant. */
  readonly endpoints?: { readonly all: number; readonly healthy: number; readonly captured: number };
  readonly waypoint?: { readonly gateway: string; readonly reason: string; readonly class: string };
};

export function calleeFacts(view: MeshView, { name, addresses, service }: Destination): CalleeFacts {
  const { snapshot, model, collections } = view;
  const facts = { name, addresses: addresses.map(({ ip }) => ip) };
  const [direct] = addresses.flatMap(({ ip }) => snapshot.workloadByIp(view.options.network, ip) ?? []);
  const binding =
    service === undefined
      ? direct === undefined
        ? undefined
        : model.bindings.workloads.get(direct.uid)
      : model.bindings.services.get(service.key);
  const gateway = collections.gateways.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === binding?.gateway);
  const waypoint =
    binding === undefined
      ? {}
      : { waypoint: { gateway: binding.gateway, reason: binding.reason, class: gateway?.spec.gatewayClassName ?? 'missing' } };
  if (service === undefined) return { ...facts, ...waypoint };
  const all = snapshot.endpoints(service.key);
  const captured = all.filter(({ uid }) => {
    const pod = view.pods.get(uid);
    return pod !== undefined && captureOf(pod) === 'captured';
  });
  const healthy = all.filter(({ status }) => status === 'HEALTHY').length;
  return { ...facts, endpoints: { all: all.length, healthy, captured: captured.length }, ...waypoint };
}
