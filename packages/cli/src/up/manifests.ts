/**
 * The directory of manifests as wishes. Validation is the control plane's own, so that both always take, or refuse, the
 * same files; what only a node reads (command, environment, node name) is checked here and reported the same way.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import { objectName } from '@clearmesh/control-plane/manifest/collections';
import { parseManifestFile } from '@clearmesh/control-plane/watch/manifest-file';
import { findingProblem } from '@clearmesh/shared/document/document-problem';
import type { PeerAuthenticationRules } from '@clearmesh/control-plane/watch/check-peer-authentication';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { PodFinding } from './wish.ts';

/** As the control plane's flags have it by default. */
export const manifestRules: PeerAuthenticationRules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };

/** The findings with file and line, which only the texts know. */
export async function locateFindings(directory: string, findings: readonly PodFinding[]): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const file of await manifestFiles(directory)) {
    const { objects } = parseManifestFile(file, await readFile(file, 'utf8'), manifestRules);
    for (const { manifest, locate } of objects) {
      if (manifest.kind !== 'Pod') continue;
      const key = objectName(manifest.value.metadata);
      for (const { finding } of findings.filter((each) => each.key === key)) {
        problems.push(findingProblem(finding, 'MESH-CONFIG-001', file, `Pod ${key}`, locate));
      }
    }
  }
  return problems;
}

/** Every manifest under the directory, by the rule of the directory source: no names that begin with a dot. */
export async function manifestFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !name.split('/').some((part) => part.startsWith('.')))
    .sort()
    .map((name) => join(directory, name));
}

/** Names of nodes that the manifests ask for. */
export function namedNodes(collections: Collections): readonly (string | undefined)[] {
  return collections.pods.map((pod) => pod.spec?.nodeName || undefined);
}
