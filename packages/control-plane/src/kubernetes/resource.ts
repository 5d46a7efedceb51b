/** Names of resources, and the paths at which an API server has them. */

/** An object as the server sends it; what is in it is known only after a check. */
export type ApiObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
  };
};

/** One kind of object in one version. */
export type Resource = {
  /** `v1`, or `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
};

export type ObjectName = { readonly namespace?: string; readonly name: string };

/** All objects, or those of one namespace. */
export function collectionPath({ apiVersion, plural }: Resource, namespace?: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

/** @param subresource such as `status` */
export function objectPath(resource: Resource, { namespace, name }: ObjectName, subresource?: string): string {
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Items of a list say nothing of their kind; `undefined` for what is no object at all. */
export function asApiObject(value: unknown, { apiVersion, kind }: Resource): ApiObject | undefined {
  if (value === null || typeof value !== 'object' || !('metadata' in value)) return undefined;
  const { metadata } = value;
  if (metadata === null || typeof metadata !== 'object' || !('name' in metadata) || typeof metadata.name !== 'string')
    return undefined;
  return { ...value, apiVersion, kind } as ApiObject;
}
