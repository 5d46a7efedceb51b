/** How strictly a namespace is run. */
import type { Environment } from '@clearmesh/shared/model/l7/configuration';
import type { NamespaceManifest } from './namespace.ts';

/** Label of a namespace. */
export const environmentLabel = 'clearmesh.io/environment';

/** Anything but `test` is production, so that a typing error loosens nothing. */
export function environmentOf(namespace: NamespaceManifest | undefined): Environment {
  return namespace?.metadata.labels?.[environmentLabel] === 'test' ? 'test' : 'production';
}
