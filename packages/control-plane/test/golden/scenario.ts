/** Recorded scenarios, step by step (data/<scenario>: what a real istiod saw, served and wrote back). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { expect } from 'chai';
import { collect, objectName } from '../../src/manifest/collections.ts';
import { findKind } from '../../src/manifest/kinds.ts';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import type { JsonValue } from '@bufbuild/protobuf';
import type { Collections, Manifest } from '../../src/manifest/collections.ts';
import type { DeriveOptions } from '../../src/derive/options.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

/** What a user of Clearmesh sets to run on the manifests of an Istio mesh: its root namespace, and its default mode. */
export const shipped: DeriveOptions = {
  ...defaultDeriveOptions,
  rootNamespace: 'istio-system',
  defaultMtls: 'PERMISSIVE',
  requirePermissiveExpiry: false,
};

/** Upstream's answer to each question that Clearmesh decides differently. */
export const upstream: DeriveOptions = {
  ...shipped,
  l7Deny: 'upstream',
  emptySelector: 'upstream',
  trustDomainsAtL4: false,
  dryRun: 'withhold',
  waypointBinding: 'upstream',
};

/** Resources, or statuses, by their key. */
export type Keyed = Readonly<Record<string, JsonValue>>;

export type GoldenStep = {
  readonly step: number;
  readonly manifests: readonly Manifest[];
  readonly collections: Collections;
  /** All that upstream serves after the step. */
  readonly served: Keyed;
  /** All that upstream wrote back after the step; absent where a scenario records none. */
  readonly status?: Keyed;
};

type RecordedObject = { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
type ObjectsStep = { step: number; upserts: RecordedObject[]; removed: string[] };
type ExpectedStep = { step: number; upserts: Record<string, JsonValue>; removed: string[] };
type StatusStep = { step: number; objects: Record<string, JsonValue> };

const root = new URL('./data/', import.meta.url);

export const scenarios: readonly string[] = readdirSync(root, { withFileTypes: true })
  .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  .sort();

/** Scenarios with a record of what was written back. */
export const scenariosWithStatus: readonly string[] = scenarios.filter((scenario) =>
  existsSync(new URL(`${scenario}/status-expected.json`, root)),
);

export function stepsOf(scenario: string): readonly GoldenStep[] {
  const objects = read(scenario, 'objects.json') as readonly ObjectsStep[];
  const expected = read(scenario, 'expected.json') as readonly ExpectedStep[];
  const statuses = scenariosWithStatus.includes(scenario) ? read(scenario, 'status-expected.json') : [];
  const present = new Map<string, Manifest>();
  const served = new Map<string, JsonValue>();
  return objects.map(({ step, removed, upserts }, index) => {
    removed.forEach((key) => present.delete(key));
    for (const object of upserts) present.set(`${object.kind} ${objectName(object.metadata)}`, manifestOf(object));
    expected[index]?.removed.forEach((key) => served.delete(key));
    for (const [key, resource] of Object.entries(expected[index]?.upserts ?? {})) served.set(key, resource);
    const status = (statuses as readonly StatusStep[])[index]?.objects;
    return {
      step,
      manifests: [...present.values()],
      collections: collect(present.values()),
      served: Object.fromEntries(served),
      ...(status === undefined ? {} : { status }),
    };
  });
}

/** At the beginning of time: golden data holds no date that ends anything. */
export function modelOf({ collections }: GoldenStep, options: DeriveOptions): MeshModel {
  return derive(collections, options, 0);
}

/** A recorded file of a scenario: one element a step. */
export function read(scenario: string, file: string): readonly unknown[] {
  return JSON.parse(readFileSync(new URL(`${scenario}/${file}`, root), 'utf8')) as readonly unknown[];
}

/** Through the schema, which must let every real object pass. */
function manifestOf(object: RecordedObject): Manifest {
  const kind = findKind(object.apiVersion, object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is not supported`);
  expect(Value.Errors(kind.schema, object), `${object.kind} ${objectName(object.metadata)}`).to.deep.equal([]);
  return kind.manifest(object);
}
