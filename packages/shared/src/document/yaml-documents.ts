/** YAML text to values that know where they stand. */
import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Document, Tags } from 'yaml';
import type { FieldPath } from './field-path.ts';

/** From 1. */
export type Position = { readonly line: number; readonly column: number };

export type YamlDocument = {
  readonly value: unknown;
  /** The field's place, or that of its nearest parent which exists; `key` points at the name instead of the value. */
  readonly locate: (path: FieldPath, at?: 'key' | 'value') => Position;
};

export type YamlFault = Position & { readonly message: string; readonly field: string };

export type YamlReading = { readonly documents: readonly YamlDocument[]; readonly faults: readonly YamlFault[] };

/** Aliases that one document may expand to: enough for any manifest, too few for a bomb. */
const maxAliases = 100;

/**
 * All documents of a text that hold anything; a text with faults has no usable documents.
 * @param tags further tags that the text may use
 */
export function readYaml(text: string, tags: readonly Tags[number][] = []): YamlReading {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    customTags: [...tags],
  });
  const documents: readonly Document.Parsed[] = 'empty' in parsed ? [] : parsed;
  const faults = documents.flatMap((document) =>
    document.errors.map((error) => ({ ...positionOf(lines, error.pos[0]), message: error.message, field: '' })),
  );
  if (faults.length > 0) return { documents: [], faults };
  const readings = documents.filter(holdsAnything).map((document) => readDocument(document, lines));
  const readable = readings.flatMap((reading) => (reading.kind === 'document' ? [reading.document] : []));
  const bombs = readings.flatMap((reading) => (reading.kind === 'fault' ? [reading.fault] : []));
  return bombs.length > 0 ? { documents: [], faults: bombs } : { documents: readable, faults: [] };
}

/** Between two `---` there may be nothing but comments. */
function holdsAnything(document: Document.Parsed): boolean {
  return document.contents !== null && !(isScalar(document.contents) && document.contents.value === null);
}

type DocumentReading =
  | { readonly kind: 'document'; readonly document: YamlDocument }
  | { readonly kind: 'fault'; readonly fault: YamlFault };

function readDocument(document: Document.Parsed, lines: LineCounter): DocumentReading {
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    return { kind: 'document', document: { value, locate: (path, at) => locate(document, lines, path, at ?? 'value') } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'fault', fault: { ...positionOf(lines, document.range[0]), message, field: '' } };
  }
}

function locate(document: Document.Parsed, lines: LineCounter, path: FieldPath, at: 'key' | 'value'): Position {
  let node: unknown = document.contents;
  let offset = offsetOf(node) ?? document.range[0];
  for (const [index, part] of path.entries()) {
    const step = child(node, part);
    if (step === undefined) break;
    node = step.value;
    const useKey = (at === 'key' && index === path.length - 1) || offsetOf(node) === undefined;
    offset = (useKey ? offsetOf(step.key) : offsetOf(node)) ?? offsetOf(step.key) ?? offset;
  }
  return positionOf(lines, offset);
}

/** The entry of a map or list; keys compare as text, since `8080:` is a number to YAML and text to JSON. */
function child(node: unknown, part: string | number): { readonly key?: unknown; readonly value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(part)];
    return value === undefined ? undefined : { value };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === String(part));
  return pair === undefined ? undefined : { key: pair.key, value: pair.value };
}

function offsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const [start] = node.range as unknown[];
  return typeof start === 'number' ? start : undefined;
}

function positionOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
