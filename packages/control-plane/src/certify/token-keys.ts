/** The public keys that sign tokens, from a JWKS file that may be replaced while the process runs. */
import { readFile, stat } from 'node:fs/promises';
import { createLocalJWKSet } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';

type Loaded = { readonly identity: string; readonly keys: JWTVerifyGetKey };

/** Bytes; a key set beyond this is none. */
const maxBytes = 1024 * 1024;

export class TokenKeys {
  readonly #file: string;
  readonly #logger: Logger;
  #loaded: Loaded;
  /** What was said of the file last, so that it is said once; "" while it can be used. */
  #reported = '';

  private constructor(file: string, loaded: Loaded, logger: Logger) {
    this.#file = file;
    this.#loaded = loaded;
    this.#logger = logger;
  }

  /** MESH-CONFIG-003 when the file cannot be used at the start. */
  static async open(file: string, deps: { readonly logger: Logger }): Promise<TokenKeys> {
    try {
      return new TokenKeys(file, await load(file), deps.logger);
    } catch (error) {
      throw new MeshError('MESH-CONFIG-003', {
        message: `--token-keys: ${file}: ${textOf(error)}`,
        hint: 'Name a JWKS file with the public ES256 keys that sign service account tokens.',
        cause: error,
      });
    }
  }

  /** The keys in force; a file that became unusable leaves the last good ones, and is reported once. */
  async current(): Promise<JWTVerifyGetKey> {
    try {
      if ((await identityOf(this.#file)) !== this.#loaded.identity) this.#loaded = await load(this.#file);
      this.#reported = '';
    } catch (error) {
      const problem = textOf(error);
      if (problem !== this.#reported) {
        this.#logger.warn('token keys cannot be read again; the last good ones stay in force', {
          file: this.#file,
          error: problem,
        });
      }
      this.#reported = problem;
    }
    return this.#loaded.keys;
  }
}

async function load(file: string): Promise<Loaded> {
  const identity = await identityOf(file);
  const keySet: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!isKeySet(keySet)) throw new Error('holds no keys of type EC and curve P-256');
  return { identity, keys: createLocalJWKSet(keySet) };
}

async function identityOf(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
  if (size > maxBytes) throw new Error(`is larger than ${maxBytes} bytes`);
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  if (value === null || typeof value !== 'object' || !('keys' in value) || !Array.isArray(value.keys)) return false;
  const keys = value.keys as readonly unknown[];
  return keys.length > 0 && keys.every(isP256);
}

function isP256(key: unknown): boolean {
  return key !== null && typeof key === 'object' && 'kty' in key && key.kty === 'EC' && 'crv' in key && key.crv === 'P-256';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
