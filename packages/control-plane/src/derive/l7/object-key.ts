import type { ObjectKey } from '@clearmesh/shared/model/l7/configuration';
import { objectName } from '../../manifest/collections.ts';
import type { NamespacedMetadata } from '../../manifest/metadata.ts';

/** `Kind namespace/name`. */
export function objectKey(kind: string, object: { readonly metadata: NamespacedMetadata }): ObjectKey {
  return `${kind} ${objectName(object.metadata)}`;
}
