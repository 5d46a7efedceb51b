/** What a waypoint may stand before: a Service, or one host of a ServiceEntry. */
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { appProtocolOf } from '../app-protocol.ts';
import { keyOfService } from '../service.ts';
import type { NamespacedMetadata } from '../../manifest/metadata.ts';
import type { EntryPort } from '../../manifest/service-entry.ts';
import type { ServiceManifest } from '../../manifest/service.ts';
import type { EntryHost } from '../entry-host.ts';
import type { DeriveOptions } from '../options.ts';

export type Destination = {
  /** Of the object that policies name. */
  readonly kind: 'Service' | 'ServiceEntry';
  readonly metadata: NamespacedMetadata;
  readonly key: ServiceKey;
  readonly ports: BoundService['ports'];
};

export function serviceDestination(service: ServiceManifest, options: DeriveOptions): Destination {
  const ports = (service.spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return {
    kind: 'Service',
    metadata: service.metadata,
    key: keyOfService(service, options),
    ports: ports.map((port) => ({ port: port.port, protocol: appProtocolOf(port) })),
  };
}

export function entryDestination({ entry, key }: EntryHost): Destination {
  const ports = (entry.spec.ports ?? []).filter(({ protocol = '' }) => protocol.toUpperCase() !== 'UDP');
  return {
    kind: 'ServiceEntry',
    metadata: entry.metadata,
    key,
    ports: ports.map((port) => ({ port: port.number, protocol: entryProtocol(port) })),
  };
}

/** An entry says what it speaks in a field; the name of a port says nothing. */
export function entryProtocol({ number, protocol = '' }: EntryPort): ReturnType<typeof appProtocolOf> {
  return appProtocolOf({ port: number, appProtocol: protocol });
}
