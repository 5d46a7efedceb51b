/** Every object of a resource, asked for in pages, so that neither side holds all of them as text. */
import { collectionPath, asApiObject } from './resource.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFailure } from './api-answer.ts';
import type { ApiObject, Resource } from './resource.ts';

export type Listing<T> =
  /** `version`: from where to watch. */
  { readonly kind: 'listed'; readonly items: readonly T[]; readonly version: string } | ApiFailure;

export type ListOptions = {
  readonly resource: Resource;
  /** @default all */
  readonly namespace?: string;
  /** Such as `metadata.name=x`. @default all */
  readonly fieldSelector?: string;
  /** @default all */
  readonly labelSelector?: string;
  /** @default 500 */
  readonly pageSize?: number;
};

type ListBody = {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string } | null;
  readonly items?: readonly unknown[] | null;
};

/** @param read what is kept of an object; called page by page. Rejects only when `signal` aborts. */
export async function listAll<T>(
  api: ApiClient,
  options: ListOptions,
  read: (object: ApiObject) => T,
  signal: AbortSignal,
): Promise<Listing<T>> {
  const { resource, namespace, pageSize = 500 } = options;
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    const query = {
      ...selectors(options),
      limit: String(pageSize),
      ...(next === undefined ? {} : { continue: next }),
    };
    const answer = await api.call<ListBody | undefined>({ path: collectionPath(resource, namespace), query }, signal);
    if (answer.kind !== 'ok') return answer;
    const { metadata, items: page } = answer.body ?? {};
    const version = metadata?.resourceVersion;
    if (version === undefined || !Array.isArray(page)) return { kind: 'unreachable', message: 'the answer is no list' };
    for (const item of page) {
      const object = asApiObject(item, resource);
      if (object !== undefined) items.push(read(object));
    }
    next = metadata?.continue;
    if (next === undefined || next === '') return { kind: 'listed', items, version };
  }
}

export function selectors({ fieldSelector, labelSelector }: ListOptions): Readonly<Record<string, string>> {
  return {
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}
