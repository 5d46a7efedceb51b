/** What the proxy shows and trusts towards the control plane; files are read anew each time, since they are rotated. */
import { readFile } from 'node:fs/promises';
import { MeshError } from '../observe/mesh-error.ts';

/**
 * Roots for the control plane's certificate: PEM text, or `undefined` for those of the system.
 * @param root path of a PEM file, PEM text itself, or `SYSTEM`
 */
export async function readRoot(root: string): Promise<string | undefined> {
  if (root === 'SYSTEM') return undefined;
  if (root.includes('-----BEGIN')) return root;
  const pem = await readText(root, 'MESH-CERT-002', 'the root certificate of the control plane');
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new MeshError('MESH-CERT-002', { message: `${root} holds no PEM certificate` });
}

/** The bearer token. @param token path of the token's file, or the token itself (which, as base64url, has no slash) */
export async function readToken(token: string): Promise<string> {
  if (!token.includes('/')) return token;
  return (await readText(token, 'MESH-CONFIG-003', 'the token (AUTH_TOKEN)')).trim();
}

async function readText(path: string, code: 'MESH-CERT-002' | 'MESH-CONFIG-003', what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshError(code, {
      message: `${what} could not be read: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    });
  }
}
