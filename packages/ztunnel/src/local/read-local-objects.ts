/** The text of a local configuration to objects of the model, or to everything that is wrong with it. Pure. */
import { checkShape } from '@clearmesh/shared/document/check-shape';
import { findingProblem, yamlProblem } from '@clearmesh/shared/document/document-problem';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { Problem } from '@clearmesh/shared/document/problem';
import { readYaml } from '@clearmesh/shared/document/yaml-documents';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { toPolicy, toService, toWorkload } from './local-model.ts';
import type { LocalObjects } from './local-objects.ts';
import { localSchema } from './local-schema.ts';
import { variantTags } from './variant-tags.ts';

export type MeshObjects = {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Authorization[];
};

export type LocalReading =
  | { readonly kind: 'objects'; readonly objects: MeshObjects }
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

/** Whole or not at all. @param file named in problems */
export function readLocalObjects(file: string, text: string, ownCluster: string): LocalReading {
  const { documents, faults } = readYaml(text, variantTags);
  const [document] = documents;
  const faulty = faults.map(({ line, column, message }) => yamlProblem(file, line, column, message));
  if (documents.length > 1) faulty.push(yamlProblem(file, 1, 1, 'must hold one document'));
  if (faulty.length > 0) return { kind: 'rejected', problems: faulty };
  // A file caught while it is written must not empty the mesh.
  if (document === undefined) return { kind: 'rejected', problems: [yamlProblem(file, 1, 1, 'the file is empty')] };
  const rejected = (findings: readonly Finding[]): LocalReading => ({
    kind: 'rejected',
    problems: findings.map((finding) => findingProblem(finding, 'MESH-CONFIG-001', file, '', document.locate)),
  });
  const shape = checkShape(localSchema, document.value);
  if (shape.length > 0) return rejected(shape);
  const local = document.value as LocalObjects;
  const objects = {
    workloads: (local.workloads ?? []).map((workload) => toWorkload(workload, ownCluster)),
    services: (local.services ?? []).map(toService),
    policies: (local.policies ?? []).map(toPolicy),
  };
  const findings = [...unnamed(local), ...repeated(objects), ...unknownPolicies(objects)];
  return findings.length > 0 ? rejected(findings) : { kind: 'objects', objects };
}

/** Without a uid it is the name that tells a workload from others. */
function unnamed({ workloads = [] }: LocalObjects): readonly Finding[] {
  return workloads.flatMap(({ uid, name }, index) =>
    uid === undefined && name === undefined
      ? [{ path: ['workloads', index], message: 'has neither uid nor name', remedy: `Add workloads[${index}].uid.` }]
      : [],
  );
}

function repeated({ workloads, services, policies }: MeshObjects): readonly Finding[] {
  return [
    ...repeatedKeys(
      'workloads',
      'uid',
      workloads.map(({ uid }) => uid),
    ),
    ...repeatedKeys(
      'services',
      'hostname',
      services.map(({ key }) => key),
    ),
    ...repeatedKeys(
      'policies',
      'name',
      policies.map(({ key }) => key),
    ),
  ];
}

function repeatedKeys(list: string, field: string, keys: readonly string[]): readonly Finding[] {
  const first = new Map<string, number>();
  return keys.flatMap((key, index): readonly Finding[] => {
    const known = first.get(key);
    if (known === undefined) first.set(key, index);
    if (known === undefined) return [];
    const message = `is that of ${list}[${known}] already`;
    return [{ path: [list, index, field], value: key, message, remedy: 'Remove one of the two, or rename it.' }];
  });
}

/** Such a workload would take no connection: it waits for policies that nobody will send. */
function unknownPolicies({ workloads, policies }: MeshObjects): readonly Finding[] {
  const known = new Set(policies.map(({ key }) => key));
  return workloads.flatMap(({ authorizationPolicies }, index) =>
    authorizationPolicies.flatMap((key, at) =>
      known.has(key)
        ? []
        : [
            {
              path: ['workloads', index, 'authorizationPolicies', at],
              value: key,
              message: 'is not among the policies of this file',
              remedy: 'Write namespace/name of one of them, or add it.',
            },
          ],
    ),
  );
}
