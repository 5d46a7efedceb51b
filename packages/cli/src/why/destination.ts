/** What is called: addresses and a port. Pure. */
import { workloadName } from '@clearmesh/control-plane/derive/workload-name';
import { podAddresses } from '@clearmesh/control-plane/manifest/pod';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import { formatSocketAddress, parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { podUid, serviceKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import type { MeshView } from '../mesh/mesh-view.ts';
import { listed } from './party.ts';
import type { ToReference } from './question.ts';

export type Destination = {
  /** For headings, such as `ledger/ledger:8080`. */
  readonly name: string;
  /** What an application would dial; several for a headless Service. */
  readonly addresses: readonly SocketAddress[];
  /** The Service meant, if one is. */
  readonly service?: Service;
  readonly port: number;
};

export function destinationOf(view: MeshView, to: ToReference): Destination {
  if (to.kind === 'address') return atAddress(view, to);
  const { namespace, name } = to;
  const service = view.snapshot.service(serviceKey(namespace, `${name}.${namespace}.svc.${view.options.domain}`));
  if (service !== undefined && (to.kind === 'any' || to.kind === 'service')) return atService(view, service, to.port);
  const pods = view.collections.pods.filter((pod) => pod.metadata.namespace === namespace && isMeant(pod, to));
  if (pods.length > 0) return atPods(view, pods, to);
  throw new MeshError('MESH-CONFIG-003', {
    message: `there is no ${to.kind === 'any' ? 'Service or pod' : to.kind} ${namespace}/${name} in ${view.origin}`,
    hint: knownNames(view, namespace),
  });
}

function isMeant(pod: PodManifest, to: Exclude<ToReference, { readonly kind: 'address' }>): boolean {
  if (to.kind === 'service') return false;
  return to.kind === 'deployment' ? workloadName(pod) === to.name : pod.metadata.name === to.name;
}

function atAddress(view: MeshView, { ip, port }: Extract<ToReference, { readonly kind: 'address' }>): Destination {
  if (port === undefined) throw noPort(ip, []);
  const [service] = view.snapshot.servicesByVip(view.options.network, ip);
  const address = { ip, port };
  return { name: formatSocketAddress(address), addresses: [address], port, ...(service === undefined ? {} : { service }) };
}

function atService(view: MeshView, service: Service, asked: number | undefined): Destination {
  const ports = service.ports.map(({ servicePort }) => servicePort);
  const [only] = ports;
  const name = `${service.namespace}/${service.name}`;
  if (asked === undefined && (only === undefined || ports.length > 1)) throw noPort(name, ports);
  const port = asked ?? only ?? 0;
  const vips = service.addresses.filter(({ prefixLength }) => prefixLength === undefined).map(({ ip }) => ({ ip, port }));
  const first = vips.slice(0, 1);
  // A headless Service is a list of addresses: whoever resolves its name dials a pod.
  const addresses = first.length > 0 ? first : headless(view, service, port);
  return { name: `${name}:${port}`, addresses, service, port };
}

function headless(view: MeshView, service: Service, port: number): readonly SocketAddress[] {
  return view.snapshot
    .endpoints(service.key)
    .flatMap((workload) => dialled(workload, targetPortAt(service, workload, port) ?? port));
}

function dialled({ addresses }: Workload, port: number): readonly SocketAddress[] {
  return addresses.slice(0, 1).map((ip) => ({ ip, port }));
}

function atPods(
  view: MeshView,
  pods: readonly PodManifest[],
  to: Exclude<ToReference, { readonly kind: 'address' }>,
): Destination {
  const name = `${to.namespace}/${to.name}`;
  const declared = new Set(
    pods.flatMap((pod) => (pod.spec?.containers ?? []).flatMap(({ ports = [] }) => ports.map((each) => each.containerPort))),
  );
  const [only] = declared;
  if (to.port === undefined && (only === undefined || declared.size > 1)) throw noPort(name, [...declared]);
  const port = to.port ?? only ?? 0;
  const addresses = pods.flatMap((pod) => {
    const ip = parseIp(podAddresses(pod)[0] ?? '');
    const known = view.snapshot.workload(podUid(view.options.clusterId, pod.metadata.namespace, pod.metadata.name));
    return ip === undefined || known === undefined ? [] : [{ ip, port }];
  });
  return { name: `${name}:${port}`, addresses, port };
}

/** Without one somebody else says where a Service leads, and the mesh does not know. */
export function hasSelector({ collections }: MeshView, { namespace, name }: Service): boolean {
  const manifest = collections.services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  return Object.keys(manifest?.spec?.selector ?? {}).length > 0;
}

function noPort(name: string, ports: readonly number[]): MeshError {
  return new MeshError('MESH-CONFIG-003', {
    message: `TO: ${name} needs a port`,
    hint:
      ports.length === 0
        ? `Write ${name}:8080, or whichever port is meant.`
        : `It has ${ports.join(', ')}: write ${name}:${ports[0]}.`,
  });
}

function knownNames({ collections: { services, pods } }: MeshView, namespace: string): string {
  const here = services
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => `Service ${metadata.name}`);
  const running = pods.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => `pod ${metadata.name}`);
  const all = [...here, ...running];
  return all.length === 0 ? `Namespace ${namespace} has neither Services nor pods.` : `There is ${listed(all)}.`;
}
