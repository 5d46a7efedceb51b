/** What has endpoints: a Service, or one host of a ServiceEntry. */
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { SelectorIndex } from './selector-index.ts';
import { keyOfService } from './service.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { EntryHost } from './entry-host.ts';
import type { DeriveOptions } from './options.ts';

export type FrontPort = { readonly name: string; readonly port: number; readonly target: number | string };

export type Front = {
  readonly kind: 'Service' | 'ServiceEntry';
  readonly key: ServiceKey;
  readonly namespace: string;
  /** Empty: its endpoints come from elsewhere; it never means "all". */
  readonly selector: Labels;
  readonly ports: readonly FrontPort[];
};

/** `undefined` for an ExternalName, which has no endpoints. */
export function serviceFront(service: ServiceManifest, options: DeriveOptions): Front | undefined {
  const { type, selector = {}, ports = [] } = service.spec ?? {};
  if (type === 'ExternalName') return undefined;
  return {
    kind: 'Service',
    key: keyOfService(service, options),
    namespace: service.metadata.namespace,
    selector,
    ports: ports.map(({ name = '', port, targetPort = port }) => ({ name, port, target: targetPort })),
  };
}

/** Without a selector when it lists its endpoints, or has none. */
export function entryFront({ entry, key }: EntryHost): Front {
  const { workloadSelector, ports = [] } = entry.spec;
  return {
    kind: 'ServiceEntry',
    key,
    namespace: entry.metadata.namespace,
    selector: workloadSelector?.labels ?? {},
    ports: ports.map(({ name, number, targetPort = number }) => ({ name, port: number, target: targetPort })),
  };
}

/** By key, and by whom they select. */
export class Fronts {
  readonly #byKey: ReadonlyMap<ServiceKey, Front>;
  readonly #selecting = new SelectorIndex<Front>();

  constructor(fronts: readonly Front[]) {
    this.#byKey = new Map(fronts.map((front) => [front.key, front]));
    for (const front of this.#byKey.values()) {
      const { namespace, selector } = front;
      if (Object.keys(selector).length > 0) this.#selecting.add(namespace, selector, front);
    }
  }

  find(key: ServiceKey): Front | undefined {
    return this.#byKey.get(key);
  }

  /** Those of its namespace that select a workload with these labels. */
  selecting(namespace: string, labels: Labels | undefined): readonly Front[] {
    return this.#selecting.matching(namespace, labels);
  }
}
