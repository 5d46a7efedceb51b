/** A ConfigMap with a root certificate, as far as it matters. */
import type { ApiObject } from '../kubernetes/resource.ts';

export type Bundle = {
  readonly namespace: string;
  /** "" where the key is missing. */
  readonly rootPem: string;
  /** Who changed it last, by its own name. */
  readonly writer?: string;
};

type ConfigMap = {
  readonly data?: Readonly<Record<string, string>> | null;
  readonly metadata: { readonly managedFields?: readonly { readonly manager?: string; readonly time?: string }[] | null };
};

export function readBundle(object: ApiObject, key: string): Bundle {
  const { data, metadata } = object as unknown as ConfigMap;
  const [last] = [...(metadata.managedFields ?? [])].sort((a, b) => ((a.time ?? '') < (b.time ?? '') ? 1 : -1));
  return {
    namespace: object.metadata.namespace ?? '',
    rootPem: data?.[key] ?? '',
    ...(last?.manager === undefined ? {} : { writer: last.manager }),
  };
}
