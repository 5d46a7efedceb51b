/** A request's body as `parsed_body`: JSON and form data, told apart by content type as the OPA-Envoy plugin does. */
import { isUtf8 } from 'node:buffer';
import { headerOf } from '../exchange/request-facts.ts';
import type { RequestHeaders } from '../exchange/request-facts.ts';
import { parseQuery } from './opa-path.ts';

/** As much of a body as a policy may read. */
export type AskedBody = {
  readonly bytes: Buffer;
  /** Absent where the bytes are no UTF-8. */
  readonly text: string | undefined;
  /** More was sent than was read. */
  readonly truncated: boolean;
};

export type ParsedBody =
  /** JSON text, `null` where nothing can be read. */
  { readonly kind: 'parsed'; readonly json: string } | { readonly kind: 'unreadable'; readonly reason: string };

const nothing: ParsedBody = { kind: 'parsed', json: 'null' };

export function askedBody(bytes: Buffer, truncated: boolean): AskedBody {
  return { bytes, truncated, text: isUtf8(bytes) ? bytes.toString('utf8') : undefined };
}

/** A truncated body is `null`: policies must look at `truncated_body`, or a large body evades them. */
export function parseBody(headers: RequestHeaders, { bytes, text, truncated }: AskedBody): ParsedBody {
  const type = headerOf(headers, 'content-type');
  if (truncated || type === undefined || bytes.length === 0) return nothing;
  const isJson = type.includes('application/json');
  if (!isJson && !type.includes('application/x-www-form-urlencoded')) return nothing;
  if (text === undefined) return { kind: 'unreadable', reason: 'the body is no UTF-8' };
  return isJson ? parseJson(text) : parseForm(text);
}

/** The text itself, once it is known to be JSON. */
function parseJson(text: string): ParsedBody {
  if (nesting(text) > maxNesting) return { kind: 'unreadable', reason: `the body nests deeper than ${maxNesting}` };
  try {
    const value: unknown = JSON.parse(text);
    // RFC 8259 section 8.2: half a surrogate pair is no character, and what engines make of it differs.
    if (/\\u[dD][89a-fA-F]/.test(text) && /\\ud[89a-f]/.test(JSON.stringify(value))) {
      return { kind: 'unreadable', reason: 'the body has an escape that is no character' };
    }
    return { kind: 'parsed', json: text };
  } catch {
    return { kind: 'unreadable', reason: 'the body is not the JSON its content-type promises' };
  }
}

/** Engines read JSON by recursion; an honest document stays far below. */
const maxNesting = 256;
const QUOTE = 34;
const BACKSLASH = 92;

function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    // Brackets and braces: 91 93 123 125.
    else if (code === 91 || code === 123) deepest = Math.max(deepest, ++depth);
    else if (code === 93 || code === 125) depth -= 1;
  }
  return deepest;
}

function parseForm(text: string): ParsedBody {
  const values = parseQuery(text);
  if (values === undefined) return { kind: 'unreadable', reason: 'the body is not the form data its content-type promises' };
  return { kind: 'parsed', json: JSON.stringify(values) };
}
