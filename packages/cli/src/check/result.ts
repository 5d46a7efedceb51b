/** One thing that was looked at. */

export type Result = {
  readonly name: string;
  /** `warning`: the mesh works, and somebody should look; `unknown`: you may not look. */
  readonly verdict: 'ok' | 'warning' | 'failed' | 'unknown';
  /** What was found. */
  readonly found: string;
  /** What to do; "" where there is nothing to do. */
  readonly hint: string;
};

export function ok(name: string, found: string): Result {
  return { name, verdict: 'ok', found, hint: '' };
}

export function failed(name: string, found: string, hint: string): Result {
  return { name, verdict: 'failed', found, hint };
}

export function warning(name: string, found: string, hint: string): Result {
  return { name, verdict: 'warning', found, hint };
}

export function unknown(name: string, found: string): Result {
  return {
    name,
    verdict: 'unknown',
    found,
    hint: 'Ask again as somebody who may read it: docs/CLI.md has a ClusterRole that is enough.',
  };
}

/** `ok` when the list is empty. */
export function noneOf(name: string, good: string, bad: readonly string[], what: string, hint: string): Result {
  return bad.length === 0 ? ok(name, good) : failed(name, `${what}: ${few(bad)}`, hint);
}

/** The first of many, and how many more there are. */
export function few(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
