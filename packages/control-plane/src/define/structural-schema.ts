/**
 * Schemas of manifests as an API server takes them: structural schemas (apiextensions.k8s.io/v1).
 *
 * S1  What the server lets through may still be refused by the mesh; what the mesh takes, the server takes.
 * S2  A server drops or refuses unknown fields by itself, so that nothing is said of additional ones.
 * S3  No field is named by a word that YAML 1.1 takes for a boolean: kubectl would send `true` for it.
 * S4  A part that cannot be said structurally is an error here, when the definition is made, not in a cluster.
 */
import { serverPattern } from '../manifest/patterned.ts';
import type { TSchema } from 'typebox';
import type { Rule } from './field-note.ts';

export type StructuralSchema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-list-type'?: 'map' | 'set';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Rule[];
};

type Part = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Part>>;
  readonly patternProperties?: Readonly<Record<string, Part>>;
  readonly required?: readonly string[];
  readonly items?: Part;
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
};

const yamlBooleans = /^(?:on|off|yes|no|y|n|true|false)$/i;
/** Kept as they are. */
const bounds = ['minimum', 'maximum', 'minLength', 'maxLength', 'maxItems'] as const;
/** Said by the kind of schema, or (S2) not said at all. */
const understood = new Set<string>([
  'type',
  'properties',
  'patternProperties',
  'required',
  'items',
  'enum',
  'additionalProperties',
  serverPattern,
  ...bounds,
]);

export function structuralSchema(schema: TSchema): StructuralSchema {
  return converted(schema as unknown as Part, 'spec');
}

function converted(part: Part, path: string): StructuralSchema {
  const strange = Object.keys(part).find((keyword) => !understood.has(keyword));
  if (strange !== undefined) throw new Error(`${path}: ${strange} cannot be said in a structural schema`);
  if (part.enum !== undefined) return words(part.enum, path);
  switch (part.type) {
    case 'object':
      return object(part, path);
    case 'array':
      return { type: 'array', ...boundsOf(part), items: converted(part.items ?? {}, `${path}[]`) };
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: part.type, ...boundsOf(part), ...patternOf(part) };
    case undefined:
      return { 'x-kubernetes-preserve-unknown-fields': true };
    default:
      throw new Error(`${path}: type ${part.type} cannot be said in a structural schema`);
  }
}

function object({ properties, patternProperties, required = [] }: Part, path: string): StructuralSchema {
  if (patternProperties !== undefined) {
    const [value] = Object.values(patternProperties);
    return { type: 'object', additionalProperties: converted(value ?? {}, `${path}.*`) };
  }
  const boolean = Object.keys(properties ?? {}).find((name) => yamlBooleans.test(name));
  if (boolean !== undefined) throw new Error(`${path}.${boolean}: kubectl reads this name as a boolean (S3)`);
  const fields = Object.entries(properties ?? {}).map(([name, value]) => [name, converted(value, `${path}.${name}`)] as const);
  return { type: 'object', ...(required.length === 0 ? {} : { required }), properties: Object.fromEntries(fields) };
}

function words(values: readonly unknown[], path: string): StructuralSchema {
  const texts = values.filter((value) => typeof value === 'string');
  if (texts.length < values.length) throw new Error(`${path}: an enumeration of anything but text`);
  return { type: 'string', enum: texts };
}

/** A source escapes slashes, which RE2 takes for an error. */
function patternOf({ [serverPattern]: pattern }: Part): StructuralSchema {
  return typeof pattern === 'string' ? { pattern: pattern.replaceAll('\\/', '/') } : {};
}

function boundsOf(part: Part): StructuralSchema {
  return Object.fromEntries(bounds.flatMap((bound) => (part[bound] === undefined ? [] : [[bound, part[bound]]])));
}
