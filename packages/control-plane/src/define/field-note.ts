/**
 * What a definition says of fields beyond their form: a description for `kubectl explain`, and the rules of checkMeaning that
 * an API server can judge by itself (CEL, Kubernetes 1.29 and newer).
 *
 * N1  Every field has a note and every note a field, so that neither is forgotten; an error when the definition is made.
 * N2  A rule refuses nothing that the reader takes (S1 of structural-schema.ts). The reader stays: it judges files, and what
 *     was stored before there was a rule.
 */
import type { StructuralSchema } from './structural-schema.ts';

/** One of `x-kubernetes-validations`. */
export type Rule = {
  /** CEL; `self` is the field. */
  readonly rule: string;
  /** What is wrong, and what to do: there is no place for a remedy of its own. */
  readonly message: string;
  /** The field to point to, below this one, such as `.approver`. */
  readonly fieldPath?: string;
};

type Bounds = Pick<
  StructuralSchema,
  'enum' | 'minItems' | 'maxItems' | 'maxLength' | 'x-kubernetes-list-type' | 'x-kubernetes-list-map-keys'
>;

export type FieldNote = { readonly description?: string; readonly bounds?: Bounds; readonly rules?: readonly Rule[] };

/** By path below `spec`, such as `limits[].key[].name`; `` is spec itself. A text is a description alone. */
export type FieldNotes = Readonly<Record<string, FieldNote | string>>;

/** Of the pattern of durations: four numbers of five digits with their units. */
const maxDurationLength = 28;

export function durationNote(description: string): FieldNote {
  return { description, bounds: { maxLength: maxDurationLength } };
}

/** @param remedy what to write, or to do, instead of nothing */
export function positiveNote(description: string, remedy = 'Write a duration, such as 10s; or leave it out.'): FieldNote {
  const rule = { rule: "duration(self) > duration('0s')", message: `must be longer than nothing. ${remedy}` };
  return { ...durationNote(description), rules: [rule] };
}

/** Of two durations beside each other the first may not be the longer one. */
export function notLonger(shorter: string, longer: string): Rule {
  const given = `!has(self.${shorter}) || !has(self.${longer})`;
  return {
    rule: `${given} || duration(self.${shorter}) <= duration(self.${longer})`,
    message: `${shorter} is longer than ${longer}. Write at most as much.`,
    fieldPath: `.${shorter}`,
  };
}

/** Notes of a part that stands at this path. */
export function notesBelow(path: string, notes: FieldNotes): FieldNotes {
  return Object.fromEntries(Object.entries(notes).map(([name, note]) => [joined(path, name), note]));
}

/** N1. */
export function annotate(schema: StructuralSchema, notes: FieldNotes): StructuralSchema {
  const used = new Set<string>();
  const found = noted(schema, '', notes, used);
  const surplus = Object.keys(notes).find((path) => !used.has(path));
  if (surplus !== undefined) throw new Error(`a note on ${surplus}, which is no field`);
  return found;
}

function noted(schema: StructuralSchema, path: string, notes: FieldNotes, used: Set<string>): StructuralSchema {
  const { properties, items, additionalProperties } = schema;
  const fields = Object.entries(properties ?? {}).map(([name, field]) => {
    const at = joined(path, name);
    if (notes[at] === undefined) throw new Error(`${at} has no note`);
    return [name, noted(field, at, notes, used)] as const;
  });
  return {
    ...noteAt(path, notes, used),
    ...schema,
    ...boundsAt(path, notes),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(fields) }),
    ...(items === undefined ? {} : { items: noted(items, `${path}[]`, notes, used) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: noted(additionalProperties, `${path}.*`, notes, used) }),
  };
}

function noteAt(path: string, notes: FieldNotes, used: Set<string>): StructuralSchema {
  const note = notes[path];
  if (note === undefined) return {};
  used.add(path);
  const { description, rules } = typeof note === 'string' ? { description: note } : note;
  return {
    ...(description === undefined ? {} : { description }),
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules }),
  };
}

function boundsAt(path: string, notes: FieldNotes): StructuralSchema {
  const note = notes[path];
  return typeof note === 'object' ? (note.bounds ?? {}) : {};
}

function joined(path: string, name: string): string {
  return path === '' || name === '' || name.startsWith('[') ? `${path}${name}` : `${path}.${name}`;
}
