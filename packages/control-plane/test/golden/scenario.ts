/** Recorded scenarios, step by step. */
import { readdirSync, readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { expect } from 'chai';
import { collect, objectName } from '../../src/manifest/collections.ts';
import { findKind } from '../../src/manifest/kinds.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import type { Collections, Manifest } from '../../src/manifest/collections.ts';
import type { DeriveOptions } from '../../src/derive/options.ts';

/** Upstream's answer to each question that Clearmesh decides differently. */
export const upstream: DeriveOptions = {
  ...defaultDeriveOptions,
  rootNamespace: 'istio-system',
  defaultMtls: 'PERMISSIVE',
  requirePermissiveExpiry: false,
  l7Deny: 'upstream',
  emptySelector: 'upstream',
  trustDomainsAtL4: false,
  dryRun: 'withhold',
  waypointBinding: 'upstream',
};

type RecordedObject = { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
type ObjectsStep = { step: number; upserts: RecordedObject[]; removed: string[] };

const root = new URL('./', import.meta.url);
const notDerivedKinds = new Set(['WorkloadEntry', 'ServiceEntry']);

export const scenarios: readonly string[] = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

/** The objects after each step. */
export function collectionsOf(scenario: string): readonly { readonly step: number; readonly collections: Collections }[] {
  const present = new Map<string, Manifest>();
  return ((readGolden(scenario, 'objects.json') ?? []) as readonly ObjectsStep[]).map(({ step, removed, upserts }) => {
    removed.forEach((key) => present.delete(key));
    for (const object of upserts) {
      if (!notDerivedKinds.has(object.kind)) present.set(`${object.kind} ${objectName(object.metadata)}`, manifestOf(object));
    }
    return { step, collections: collect(present.values()) };
  });
}

/** `undefined` where a scenario has no such file. */
export function readGolden(scenario: string, file: string): readonly unknown[] | undefined {
  try {
    return JSON.parse(readFileSync(new URL(`${scenario}/${file}`, root), 'utf8')) as readonly unknown[];
  } catch {
    return undefined;
  }
}

/** Through the schema, which must let every real object pass. */
function manifestOf(object: RecordedObject): Manifest {
  const kind = findKind(object.apiVersion, object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is not supported`);
  expect(Value.Errors(kind.schema, object), `${object.kind} ${objectName(object.metadata)}`).to.deep.equal([]);
  return kind.manifest(object);
}
