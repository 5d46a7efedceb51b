/**
 * The ConfigMaps that overlays stand in: those that Gateways name, each watched alone, and those with defaults for a class.
 * A cluster may hold many large ConfigMaps; none but these is read.
 */
import { Informer } from '../kubernetes/informer.ts';
import { overlayKeys } from './overlay.ts';
import { classDefaultsLabel } from './waypoint-options.ts';
import type { InformerOptions } from '../kubernetes/informer.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { Leadership } from '../lead/leader-task.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { OverlayMap } from './waypoint-options.ts';

const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

type Watch = { readonly informer: Informer<OverlayMap>; readonly maps: Map<string, OverlayMap> };

type Deps = Leadership & {
  /** Something changed; `undefined`: the defaults of a class. */
  readonly onChange: (name: string | undefined) => void;
};

export class OverlayWatch implements AsyncDisposable {
  readonly #deps: Deps;
  readonly #defaults: Watch;
  /** By `namespace/name`. */
  readonly #named = new Map<string, Watch>();
  readonly #closing = new Set<Promise<void>>();

  constructor(rootNamespace: string, deps: Deps) {
    this.#deps = deps;
    this.#defaults = this.#watch(
      { resources: [configMaps], namespace: rootNamespace, labelSelector: classDefaultsLabel },
      undefined,
    );
  }

  /** Watches these and no others. */
  follow(names: ReadonlySet<string>): void {
    for (const [name, watch] of this.#named) {
      if (names.has(name)) continue;
      this.#named.delete(name);
      const closed = watch.informer[Symbol.asyncDispose]().finally(() => this.#closing.delete(closed));
      this.#closing.add(closed);
    }
    for (const name of names) {
      if (this.#named.has(name)) continue;
      const [namespace = '', object = ''] = name.split('/');
      const selection = { resources: [configMaps] as const, namespace, fieldSelector: `metadata.name=${object}` };
      this.#named.set(name, this.#watch(selection, name));
    }
  }

  /** True when what a Gateway refers to is known, be it that there is none. */
  knows(name: string | undefined): boolean {
    const named = name === undefined ? undefined : this.#named.get(name);
    return this.#defaults.informer.listed && (name === undefined || named?.informer.listed === true);
  }

  get maps(): ReadonlyMap<string, OverlayMap> {
    return new Map([this.#defaults, ...this.#named.values()].flatMap(({ maps }) => [...maps]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const watches = [this.#defaults, ...this.#named.values()];
    this.#named.clear();
    await Promise.all([...watches.map(({ informer }) => informer[Symbol.asyncDispose]()), ...this.#closing]);
  }

  #watch(options: InformerOptions, name: string | undefined): Watch {
    const { api, clock, random, logger, onChange } = this.#deps;
    const maps = new Map<string, OverlayMap>();
    const informer = new Informer<OverlayMap>(options, {
      api,
      clock,
      random,
      read: readOverlayMap,
      listener: {
        recvList: (items) => {
          maps.clear();
          for (const item of items) maps.set(nameOf(item), item);
          onChange(name);
        },
        recvChange: (item) => {
          maps.set(nameOf(item), item);
          onChange(name);
        },
        recvRemoval: (item) => {
          maps.delete(nameOf(item));
          onChange(name);
        },
        recvState: (state) => {
          if (state.kind === 'forbidden')
            logger.warn('ConfigMaps with overlays cannot be read; their waypoints stay as they are', {
              configMap: name ?? `label ${classDefaultsLabel}`,
              error: state.message,
            });
        },
      },
    });
    informer.start();
    return { informer, maps };
  }
}

function nameOf({ metadata }: OverlayMap): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The keys that are overlays: the rest of a ConfigMap is not ours to hold. */
function readOverlayMap(object: ApiObject): OverlayMap {
  const { metadata, data } = object as ApiObject & {
    readonly metadata: { readonly labels?: Labels | null };
    readonly data?: Readonly<Record<string, string>> | null;
  };
  const kept = overlayKeys.flatMap((key) => (data?.[key] === undefined ? [] : [[key, data[key]] as const]));
  const { name, namespace = '', labels } = metadata;
  return {
    metadata: { name, namespace, ...(labels === undefined || labels === null ? {} : { labels }) },
    data: Object.fromEntries(kept),
  };
}
