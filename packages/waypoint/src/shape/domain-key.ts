import { readFileSync } from 'node:fs';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/**
 * The key that seals kept answers (`DOMAIN_KEY_FILE`), read once at start: one that is not there must be known before the
 * first payment. MESH-CONFIG-003 for a file that cannot be read.
 */
export function readDomainKey(file: string | undefined): { readonly responseKey?: Uint8Array } {
  if (file === undefined) return {};
  try {
    return { responseKey: readFileSync(file) };
  } catch (cause) {
    throw new MeshError('MESH-CONFIG-003', { message: `DOMAIN_KEY_FILE=${JSON.stringify(file)} cannot be read`, cause });
  }
}
