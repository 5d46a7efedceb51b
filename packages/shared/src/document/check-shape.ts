/** The schema of a kind applied to a value, its errors told so that their author can mend them. */
import { Value } from 'typebox/value';
import type { TSchema } from 'typebox';
import { pathText, pointerPath } from './field-path.ts';
import { nearestName } from './nearest-name.ts';
import type { Finding } from './finding.ts';

type ShapeError = ReturnType<typeof Value.Errors>[number];

/** Findings of the shape; none when the value is of the kind's type. */
export function checkShape(schema: TSchema, value: unknown): readonly Finding[] {
  return Value.Errors(schema, value).flatMap((error) => finding(error, schema, value));
}

function finding(error: ShapeError, schema: TSchema, root: unknown): readonly Finding[] {
  const path = pointerPath(error.instancePath);
  if (error.keyword === 'required') return error.params.requiredProperties.map((name) => missing([...path, name]));
  // Each such field has an error of its own, of keyword `boolean`.
  if (error.keyword === 'additionalProperties') return [];
  const value = at(root, path);
  if (error.keyword === 'boolean') return [unknownField(path, value, at(schema, pointerPath(error.schemaPath).slice(0, -1)))];
  if (error.keyword === 'enum') return [notOneOf(path, value, error.params.allowedValues.map(String))];
  return [{ path, value, ...wrongValue(error, value, at(schema, pointerPath(error.schemaPath))) }];
}

function wrongValue(error: ShapeError, value: unknown, schema: unknown): Pick<Finding, 'message' | 'remedy'> {
  if (error.keyword === 'type') {
    const type = String(error.params.type);
    return { message: `must be of type ${type}`, remedy: typeRemedy(type, value) };
  }
  if (error.keyword === '~refine') return { message: `must be ${error.message}`, remedy: `Write ${error.message}.` };
  if (error.keyword === 'minimum' || error.keyword === 'maximum') {
    return { message: `must be ${error.params.comparison} ${error.params.limit}`, remedy: rangeRemedy(schema) };
  }
  if (error.keyword === 'minLength') return { message: 'is empty', remedy: 'Write a value, or remove the field.' };
  if (error.keyword === 'maxItems')
    return { message: `has more than ${error.params.limit} entries`, remedy: 'Remove some, or write a second object.' };
  if (error.keyword === 'anyOf')
    return { message: 'must be a number or text', remedy: 'Write a port number, or the name of a port.' };
  return { message: error.message, remedy: 'Write a value that the field allows.' };
}

function missing(path: readonly string[]): Finding {
  return { path, message: 'is missing', remedy: `Add ${pathText(path)}.` };
}

function unknownField(path: readonly string[], value: unknown, schema: unknown): Finding {
  const known =
    schema !== null && typeof schema === 'object' && 'properties' in schema ? Object.keys(schema.properties ?? {}) : [];
  const typed = path.at(-1) ?? '';
  const nearest = nearestName(typed, known);
  return {
    path,
    at: 'key',
    value,
    message: 'is not a known field; a policy with a field that does nothing would protect less than it says',
    remedy: nearest === undefined ? `Remove it; known here: ${known.join(', ')}.` : `Did you mean ${nearest}?`,
  };
}

function notOneOf(path: readonly string[], value: unknown, allowed: readonly string[]): Finding {
  const nearest = typeof value === 'string' ? nearestName(value, allowed) : undefined;
  return {
    path,
    value,
    message: `must be one of ${allowed.join(', ')}`,
    remedy: nearest === undefined ? `Write one of ${allowed.join(', ')}.` : `Did you mean ${nearest}?`,
  };
}

/** Numbers from 1 to 65535 are ports everywhere. */
function rangeRemedy(schema: unknown): string {
  const { minimum, maximum } = (schema ?? {}) as { readonly minimum?: number; readonly maximum?: number };
  if (maximum === 65_535) return 'Write a port from 1 to 65535.';
  if (maximum === undefined) return `Write ${minimum} or more.`;
  return `Write a number from ${minimum} to ${maximum}.`;
}

/** Numbers, dates and booleans where text belongs are the commonest slip of YAML. */
function typeRemedy(type: string, value: unknown): string {
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return `Put it in quotes: "${value}".`;
  if (value === null) return 'Write a value, or remove the field.';
  return `Write a ${type}.`;
}

function at(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>)[part] : undefined,
    root,
  );
}
