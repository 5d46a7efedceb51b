/** Client certificates for attacks: issued with the mesh's own CA key (tests run as root), or by a foreign authority. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import type { LeafSpec } from '@clearmesh/shared/testing/test-authority';
import type { RunningMesh } from './mesh.ts';

export type Credentials = { readonly cert: string; readonly key: string; readonly ca: string };

/** The authority that the mesh itself uses, read from its 0600 file. */
export async function meshAuthority(mesh: RunningMesh): Promise<TestAuthority> {
  return TestAuthority.load(await readFile(join(mesh.ready.stateDir, 'ca.pem'), 'utf8'));
}

/** Writes certificate and key below the mesh's work directory, which goes with the mesh. */
export async function writeCredentials(
  mesh: RunningMesh,
  authority: TestAuthority,
  name: string,
  spec: LeafSpec,
): Promise<Credentials> {
  const issued = await authority.issue(spec);
  const file = (kind: string): string => join(mesh.ready.workDir, `${name}.${kind}.pem`);
  await writeFile(file('cert'), issued.certPem, { mode: 0o600 });
  await writeFile(file('key'), issued.keyPem, { mode: 0o600 });
  return { cert: file('cert'), key: file('key'), ca: join(mesh.ready.stateDir, 'root-cert.pem') };
}
