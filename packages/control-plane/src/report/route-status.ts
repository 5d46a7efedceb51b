/** Status of routes whose parent is a Service, or a ServiceEntry (control-plane-contract section 1.4). */
import { resolveBackend } from '../derive/l7/backend.ts';
import { keyOfService } from '../derive/service.ts';
import { isServiceParent } from '../manifest/route.ts';
import { condition } from './status-report.ts';
import type { ServiceIndex } from '../derive/l7/backend.ts';
import type { Bindings } from '../derive/mesh-model.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { Binding } from '../derive/waypoint-binding.ts';
import type { BackendObjectManifest, ParentRefManifest, RouteManifest } from '../manifest/route.ts';
import type { Condition, ObjectStatus, ParentStatus } from './status-report.ts';

export const controllerName = 'clearmesh.io/mesh-controller';

type Around = {
  readonly services: ServiceIndex;
  /** What became of each ServiceEntry, by `namespace/name`. */
  readonly entries: ReadonlyMap<string, Binding | undefined>;
  readonly bindings: Bindings;
  readonly options: DeriveOptions;
};

/** `undefined` for a route that has none of them among its parents: others report it. */
export function routeStatus(route: RouteManifest, around: Around): ObjectStatus | undefined {
  const parents = (route.spec.parentRefs ?? []).filter(isServiceParent);
  if (parents.length === 0) return undefined;
  const references = resolvedRefs(route, around);
  return { parents: parents.map((parent) => parentStatus(parent, route, references, around)) };
}

function parentStatus(parent: ParentRefManifest, route: RouteManifest, references: Condition, around: Around): ParentStatus {
  const { group = '', kind = 'Service', namespace, name, port } = parent;
  return {
    parentRef: {
      group,
      kind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
      ...(port === undefined ? {} : { port }),
    },
    controllerName,
    conditions: [...accepted(parent, route, around, references)],
  };
}

function accepted(parent: ParentRefManifest, route: RouteManifest, around: Around, references: Condition): readonly Condition[] {
  const namespace = parent.namespace ?? route.metadata.namespace;
  const title = `${parent.kind ?? 'Service'} ${namespace}/${parent.name}`;
  const found = findParent(parent, namespace, around);
  if (found === undefined) {
    const missing = `there is no ${title}`;
    return [condition('Accepted', 'False', 'NoMatchingParent', missing), references, resolvedWaypoints(missing)];
  }
  const { binding } = found;
  const waypointNamespace = binding?.gateway.split('/')[0];
  const own = route.metadata.namespace;
  if (own !== namespace && own !== waypointNamespace) {
    const message = `routes count in the namespace of the parent or of its waypoint only, not in ${own}`;
    return [condition('Accepted', 'False', 'NotAllowedByListeners', message), references, resolvedWaypoints('not asked for')];
  }
  const waypoint =
    binding?.served === true
      ? `waypoint ${binding.gateway} carries the route out`
      : `${title} is behind no waypoint (label istio.io/use-waypoint), so that nobody carries the route out`;
  return [condition('Accepted', 'True', 'Accepted', 'the route is valid'), references, resolvedWaypoints(waypoint)];
}

/** `undefined` when there is no such parent. */
function findParent(
  { kind, name }: ParentRefManifest,
  namespace: string,
  { services, entries, bindings, options }: Around,
): { readonly binding: Binding | undefined } | undefined {
  const key = `${namespace}/${name}`;
  if (kind === 'ServiceEntry') return entries.has(key) ? { binding: entries.get(key) } : undefined;
  const service = services.get(key);
  return service === undefined ? undefined : { binding: bindings.services.get(keyOfService(service, options)) };
}

/** Always true, as upstream: its message is what tells. */
function resolvedWaypoints(message: string): Condition {
  return condition('ResolvedWaypoints', 'True', 'ResolvedWaypoints', message);
}

/** The first reference that leads nowhere; requests that draw it are answered with 500. */
function resolvedRefs(route: RouteManifest, { services, options }: Around): Condition {
  for (const reference of backendsOf(route)) {
    const resolved = resolveBackend(reference, route.metadata.namespace, services, options);
    if (resolved.kind === 'invalid') return condition('ResolvedRefs', 'False', resolved.reason, resolved.message);
  }
  return condition('ResolvedRefs', 'True', 'ResolvedRefs', 'all references are resolved');
}

function backendsOf(route: RouteManifest): readonly BackendObjectManifest[] {
  return (route.spec.rules ?? []).flatMap(({ filters = [], backendRefs = [] }) => [
    ...backendRefs,
    ...filters.flatMap(({ requestMirror }) => (requestMirror === undefined ? [] : [requestMirror.backendRef])),
  ]);
}
