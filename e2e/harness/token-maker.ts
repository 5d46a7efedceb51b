/** Tokens that the mesh's control plane believes, for programs that the mesh does not run itself: tests run as root, and may add a key. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TokenKey, tokenClaims } from '@clearmesh/cli/up/tokens';
import type { MeshPod, RunningMesh } from './mesh.ts';

export class TokenMaker {
  readonly #mesh: RunningMesh;
  readonly #key: TokenKey;

  private constructor(mesh: RunningMesh, key: TokenKey) {
    this.#mesh = mesh;
    this.#key = key;
  }

  /** Adds a key of its own to those whose tokens are believed. */
  static async create(mesh: RunningMesh): Promise<TokenMaker> {
    const key = await TokenKey.create();
    const file = join(mesh.ready.workDir, 'token-keys.json');
    const believed = [await readFile(file, 'utf8'), key.jwks()].map((text) => JSON.parse(text) as { readonly keys: object[] });
    await writeFile(file, JSON.stringify({ keys: believed.flatMap(({ keys }) => keys) }));
    return new TokenMaker(mesh, key);
  }

  /** A file with a token of the pod's account, as a kubelet projects it. */
  async write({ namespace, name, node }: MeshPod, serviceAccount: string): Promise<string> {
    const claims = tokenClaims({ namespace, serviceAccount, pod: { name, uid: name }, node }, Date.now());
    const file = join(this.#mesh.ready.workDir, `token-${namespace}-${name}`);
    await writeFile(file, await this.#key.sign(claims), { mode: 0o600 });
    return file;
  }
}
