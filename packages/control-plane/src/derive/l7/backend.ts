/** What a backendRef leads to (control-plane-contract section 4.3). */
import type { ServiceBackend } from '@clearmesh/shared/model/l7/route';
import { objectName } from '../../manifest/collections.ts';
import { keyOfService } from '../service.ts';
import type { BackendObjectManifest } from '../../manifest/route.ts';
import type { ServiceManifest } from '../../manifest/service.ts';
import type { DeriveOptions } from '../options.ts';

export type ResolvedBackend =
  | { readonly kind: 'service'; readonly backend: ServiceBackend }
  /** `reason` as conditions name it. */
  | { readonly kind: 'invalid'; readonly reason: 'InvalidKind' | 'BackendNotFound'; readonly message: string };

/** Services by `namespace/name`. */
export type ServiceIndex = ReadonlyMap<string, ServiceManifest>;

export function serviceIndex(services: readonly ServiceManifest[]): ServiceIndex {
  return new Map(services.map((service) => [objectName(service.metadata), service]));
}

/** @param namespace of the route, where the reference names none */
export function resolveBackend(
  reference: BackendObjectManifest,
  namespace: string,
  services: ServiceIndex,
  options: DeriveOptions,
): ResolvedBackend {
  const { group = '', kind = 'Service', name, port } = reference;
  if ((group !== '' && group !== 'core') || kind !== 'Service') {
    return invalid('InvalidKind', `${kind}${group === '' ? '' : ` of ${group}`} is no kind of backend that is supported`);
  }
  const key = `${reference.namespace ?? namespace}/${name}`;
  const service = services.get(key);
  if (service === undefined || service.spec?.type === 'ExternalName') {
    return invalid('BackendNotFound', `there is no Service ${key} with endpoints of its own`);
  }
  if (port === undefined) return invalid('BackendNotFound', `the reference to Service ${key} names no port`);
  const known = service.spec?.ports?.some((each) => each.port === port && (each.protocol ?? 'TCP') === 'TCP') ?? false;
  if (!known) return invalid('BackendNotFound', `Service ${key} has no TCP port ${port}`);
  return { kind: 'service', backend: { service: keyOfService(service, options), port } };
}

function invalid(reason: 'InvalidKind' | 'BackendNotFound', message: string): ResolvedBackend {
  return { kind: 'invalid', reason, message };
}
