/**
 * The kinds of clearmesh.io as an API server is told of them (CustomResourceDefinition), from the schemas that manifests of a
 * directory are checked with. `node scripts/generate.ts` writes them into the chart base.
 */
import { stringify } from 'yaml';
import { bankingDomainKind } from '../manifest/banking-domain.ts';
import { faultExperimentKind } from '../manifest/fault-experiment.ts';
import { opaPolicyKind } from '../manifest/opa-policy.ts';
import { rateLimitPolicyKind } from '../manifest/rate-limit-policy.ts';
import { resiliencePolicyKind } from '../manifest/resilience-policy.ts';
import { pluralOf } from '../watch/watched-resources.ts';
import { annotate } from './field-note.ts';
import { domainNotes, faultNotes, opaNotes, rateLimitNotes, resiliencePolicyNotes } from './policy-notes.ts';
import { structuralSchema } from './structural-schema.ts';
import type { TSchema } from 'typebox';
import type { Kind } from '../manifest/kind.ts';
import type { FieldNotes } from './field-note.ts';
import type { StructuralSchema } from './structural-schema.ts';

type Column = { readonly name: string; readonly type: 'string' | 'number' | 'date'; readonly jsonPath: string };

type OwnKind = {
  readonly kind: Kind<unknown>;
  readonly shortName: string;
  /** For `kubectl explain`. */
  readonly description: string;
  readonly notes: FieldNotes;
  readonly columns: readonly Column[];
};

/** A column shows one value only. */
const target: Column = { name: 'Target', type: 'string', jsonPath: '.spec.targetRefs[0].name' };
const accepted: Column = { name: 'Accepted', type: 'string', jsonPath: '.status.conditions[?(@.type=="Accepted")].status' };
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const ownKinds: readonly OwnKind[] = [
  {
    kind: bankingDomainKind,
    shortName: 'cmdom',
    description: 'Namespaces that belong together, with the waypoint, the criticality and the defaults that they share.',
    notes: domainNotes,
    columns: [
      { name: 'Waypoint', type: 'string', jsonPath: '.spec.waypoint.name' },
      { name: 'Criticality', type: 'string', jsonPath: '.spec.criticality' },
      accepted,
      age,
    ],
  },
  {
    kind: resiliencePolicyKind,
    shortName: 'cmres',
    description: 'Timeouts, retries, idempotency keys, circuit breakers and limits of what a waypoint serves.',
    notes: resiliencePolicyNotes,
    columns: [target, { name: 'Class', type: 'string', jsonPath: '.spec.class' }, accepted, age],
  },
  {
    kind: rateLimitPolicyKind,
    shortName: 'cmrate',
    description: 'How many requests a waypoint lets through, and for whom.',
    notes: rateLimitNotes,
    columns: [target, accepted, age],
  },
  {
    kind: opaPolicyKind,
    shortName: 'cmopa',
    description: 'Rules of Open Policy Agent that a waypoint asks before it lets a request through.',
    notes: opaNotes,
    columns: [target, { name: 'Rule', type: 'string', jsonPath: '.spec.path' }, accepted, age],
  },
  {
    kind: faultExperimentKind,
    shortName: 'cmfault',
    description: 'A drill: faults for a share of requests, for a time, with an owner and an approver.',
    notes: faultNotes,
    columns: [
      target,
      { name: 'Starts', type: 'string', jsonPath: '.spec.startsAt' },
      { name: 'For', type: 'string', jsonPath: '.spec.ttl' },
      { name: 'Percent', type: 'number', jsonPath: '.spec.percent' },
      accepted,
      age,
    ],
  },
];

/** Contents of files by name, `clearmesh-<plural>.yaml`. */
export function definitionFiles(): ReadonlyMap<string, string> {
  return new Map(ownKinds.map((own) => [`clearmesh-${pluralOf(own.kind.kind)}.yaml`, textOf(own)]));
}

function textOf(own: OwnKind): string {
  const note = `# Generated from the schema of ${own.kind.kind} by node scripts/generate.ts.\n`;
  return note + stringify(definition(own), { lineWidth: 0, aliasDuplicateObjects: false });
}

function definition({ kind: { kind, scope, apiVersions, schema }, shortName, description, notes, columns }: OwnKind): object {
  const plural = pluralOf(kind);
  const [group = ''] = apiVersions[0].split('/');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { 'gateway.networking.k8s.io/policy': 'Inherited' } },
    spec: {
      group,
      scope: scope === 'namespaced' ? 'Namespaced' : 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ['clearmesh'],
      },
      versions: apiVersions.map((apiVersion, index) => ({
        name: apiVersion.slice(group.length + 1),
        served: true,
        storage: index === 0,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: { openAPIV3Schema: { description, ...objectSchema(schema, notes) } },
      })),
    },
  };
}

/** The server knows metadata by itself, and takes no word on it. */
function objectSchema(schema: TSchema, notes: FieldNotes): StructuralSchema {
  const { spec } = (schema as unknown as { readonly properties: { readonly spec: TSchema } }).properties;
  return {
    type: 'object',
    required: ['spec'],
    properties: { spec: annotate(structuralSchema(spec), notes), status: statusSchema },
  };
}

const text: StructuralSchema = { type: 'string' };

/** metav1.Condition, merged by type, so that each writer keeps its own. */
const statusSchema: StructuralSchema = {
  description: 'What became of it; written by the control plane.',
  type: 'object',
  properties: {
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
        properties: {
          type: { ...text, maxLength: 316 },
          status: { ...text, enum: ['True', 'False', 'Unknown'] },
          reason: { ...text, minLength: 1, maxLength: 1024 },
          message: { ...text, maxLength: 32_768 },
          lastTransitionTime: { ...text, format: 'date-time' },
          observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
        },
      },
    },
  },
};
