/** A watch as it comes: bytes to lines, lines to events. */
import type { ApiObject, Resource } from './resource.ts';
import { asApiObject } from './resource.ts';

export type WatchEvent =
  | { readonly kind: 'changed' | 'removed'; readonly object: ApiObject; readonly version: string }
  /** Nothing changed up to this version. */
  | { readonly kind: 'bookmark'; readonly version: string }
  /** The server ends the watch; 410 is a version that it no longer has. */
  | { readonly kind: 'error'; readonly status: number; readonly message: string }
  | { readonly kind: 'malformed' };

/** Bytes of one event; etcd keeps no object beyond some 1.5 MiB, and JSON of the API is longer than what it keeps. */
const maxLineBytes = 8 * 1024 * 1024;

/** Whole lines; what follows the last line break was cut off, and is no event. Throws for a line without an end. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number = maxLineBytes): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, end)]).toString('utf8');
      parts = [];
      length = 0;
      from = end + 1;
      if (line.trim() !== '') yield line;
    }
    if (from === chunk.length) continue;
    parts.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > maxBytes) throw new Error(`an event is longer than ${maxBytes} bytes`);
  }
}

/** Never throws, whatever the line holds. */
export function parseWatchLine(line: string, resource: Resource): WatchEvent {
  const parsed = parse(line);
  if (parsed === undefined) return { kind: 'malformed' };
  const { type, object } = parsed;
  if (type === 'ERROR') return errorOf(object);
  const version = versionOf(object);
  if (version === undefined) return { kind: 'malformed' };
  if (type === 'BOOKMARK') return { kind: 'bookmark', version };
  const known = asApiObject(object, resource);
  if (known === undefined) return { kind: 'malformed' };
  if (type === 'ADDED' || type === 'MODIFIED') return { kind: 'changed', object: known, version };
  return type === 'DELETED' ? { kind: 'removed', object: known, version } : { kind: 'malformed' };
}

function parse(line: string): { readonly type: unknown; readonly object: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' && 'type' in value && 'object' in value ? value : undefined;
  } catch {
    return undefined;
  }
}

function versionOf(object: unknown): string | undefined {
  const { metadata } = (object ?? {}) as { readonly metadata?: { readonly resourceVersion?: unknown } | null };
  const version = metadata?.resourceVersion;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

function errorOf(object: unknown): WatchEvent {
  const { code, message } = (object ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    kind: 'error',
    status: typeof code === 'number' ? code : 0,
    message: typeof message === 'string' ? message.slice(0, 500) : 'the watch failed',
  };
}
