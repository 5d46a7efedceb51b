/** Tokens that the mesh's control plane believes, for programs that the mesh does not run itself: tests run as root, and may add a key. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MeshPod, RunningMesh } from './mesh.ts';

const lifetimeS = 3_600;

export class TokenMaker {
  readonly #mesh: RunningMesh;
  readonly #key: KeyObject;
  readonly #id: string;

  private constructor(mesh: RunningMesh, key: KeyObject, id: string) {
    this.#mesh = mesh;
    this.#key = key;
    this.#id = id;
  }

  /** Adds a key of its own to those whose tokens are believed. */
  static async create(mesh: RunningMesh): Promise<TokenMaker> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const kid = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
    const file = join(mesh.ready.workDir, 'token-keys.json');
    const { keys } = JSON.parse(await readFile(file, 'utf8')) as { readonly keys: readonly object[] };
    await writeFile(file, JSON.stringify({ keys: [...keys, { ...jwk, alg: 'ES256', use: 'sig', kid }] }));
    return new TokenMaker(mesh, privateKey, kid);
  }

  /** A file with a token of the pod's account, as a kubelet projects it. */
  async write({ namespace, name, node }: MeshPod, serviceAccount: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'clearmesh',
      aud: ['istio-ca'],
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      iat: now,
      nbf: now,
      exp: now + lifetimeS,
      'kubernetes.io': { namespace, serviceaccount: { name: serviceAccount }, pod: { name, uid: name }, node: { name: node } },
    };
    const header = { alg: 'ES256', kid: this.#id, typ: 'JWT' };
    const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    // RFC 7518 section 3.4: both numbers side by side, not in DER.
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    const file = join(this.#mesh.ready.workDir, `token-${namespace}-${name}`);
    await writeFile(file, `${signed}.${signature.toString('base64url')}`, { mode: 0o600 });
    return file;
  }
}
