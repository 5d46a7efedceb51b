/**
 * Which connections get a line in the access log. Metrics count all of them in any case.
 *
 *   end ─▶ filter ─ no ──▶ filtered
 *            └─ yes ─▶ share of its result ─┬─▶ written
 *                                           └─▶ sampled-out
 *
 * S1  Unless a share is named for them, what was denied and what failed is always written: it is what a log is read for.
 * S2  Proxies with the same share write the lines of the same connections, at both ends: the trace decides, where there is one.
 * S3  A line that is a span's record is never sampled out: whoever sampled the trace has decided that already.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Direction } from './access-log.ts';
import type { ResponseFlag } from './connection-cut.ts';

/** `denied` by a decision of a proxy, be it this one or its peer. */
export type AccessResult = 'ok' | 'failed' | 'denied';

/** Every condition that is there must hold. */
export type AccessFilter = {
  readonly results?: readonly string[];
  readonly directions?: readonly string[];
  readonly flags?: readonly string[];
  /** Of the pod, of the source or of the destination. */
  readonly namespaces?: readonly string[];
};

export type AccessSelectionOptions = {
  /** @default every line */
  readonly filter?: AccessFilter;
  /** Share of the lines that are written, 0 to 1. @default 1 each */
  readonly shares?: Partial<Readonly<Record<AccessResult, number>>>;
};

/** What is known of a connection when its line is due. */
export type AccessEntry = {
  readonly result: AccessResult;
  readonly direction: Direction;
  readonly flag: ResponseFlag;
  /** Of its ends, as far as they are known. */
  readonly namespaces: readonly (string | undefined)[];
  readonly traceId?: string | undefined;
  /** S3. */
  readonly isSpan?: boolean;
};

export type AccessFate = 'written' | 'filtered' | 'sampled-out';

export type AccessSelectionDeps = {
  readonly random: Pick<Random, 'unit'>;
  readonly metrics: { accessLine(fate: AccessFate): void };
};

/** Chooses lines of one pod. */
export interface LineChoice {
  isWanted(entry: AccessEntry): boolean;
}

export class AccessSelection {
  readonly #options: AccessSelectionOptions;
  readonly #deps: AccessSelectionDeps;

  constructor(options: AccessSelectionOptions, deps: AccessSelectionDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Of a pod of this namespace; both ends of its connections are not always known. */
  ofPod({ namespace }: { readonly namespace: string }): LineChoice {
    return { isWanted: (entry) => this.#isWanted(entry, namespace) };
  }

  #isWanted(entry: AccessEntry, namespace: string): boolean {
    const fate = this.#fateOf(entry, namespace);
    this.#deps.metrics.accessLine(fate);
    return fate === 'written';
  }

  #fateOf(entry: AccessEntry, namespace: string): AccessFate {
    const { filter, shares } = this.#options;
    if (filter !== undefined && !passes(filter, entry, namespace)) return 'filtered';
    const share = shares?.[entry.result] ?? 1;
    if (share >= 1 || entry.isSpan === true) return 'written';
    return this.#place(entry.traceId) < share ? 'written' : 'sampled-out';
  }

  /** S2. From 0 to 1; the first half of a trace id may be a time, the second one is random (W3C Trace Context level 2). */
  #place(traceId: string | undefined): number {
    return traceId === undefined ? this.#deps.random.unit() : Number.parseInt(traceId.slice(-8), 16) / 0x1_0000_0000;
  }
}

function passes({ results, directions, flags, namespaces }: AccessFilter, entry: AccessEntry, own: string): boolean {
  if (results?.includes(entry.result) === false || directions?.includes(entry.direction) === false) return false;
  if (flags?.includes(entry.flag) === false) return false;
  return namespaces === undefined || [own, ...entry.namespaces].some((each) => each !== undefined && namespaces.includes(each));
}

const words: Readonly<Record<string, readonly [keyof AccessFilter, RegExp]>> = {
  result: ['results', /^(?:ok|failed|denied)$/],
  direction: ['directions', /^(?:inbound|outbound)$/],
  flag: ['flags', /^(?:-|[A-Z][A-Z0-9_]*)$/],
  namespace: ['namespaces', /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/],
};

/** `result=denied|failed,namespace=bank`; `undefined` when the text is none. An empty one lets every line pass. */
export function parseAccessFilter(text: string): AccessFilter | undefined {
  const filter: { -readonly [key in keyof AccessFilter]: readonly string[] } = {};
  for (const condition of text.split(',').filter((each) => each.trim() !== '')) {
    const [name = '', values = '', ...rest] = condition.split('=').map((part) => part.trim());
    const [key, form] = words[name] ?? [];
    const choices = values.split('|').map((value) => value.trim());
    if (key === undefined || form === undefined || filter[key] !== undefined || rest.length > 0) return undefined;
    if (!choices.every((choice) => form.test(choice))) return undefined;
    filter[key] = choices;
  }
  return filter;
}

/** `0.01`, of connections that ended well, or `ok=0.01,failed=0.5,denied=1`; `undefined` when the text is none. */
export function parseAccessShares(text: string): AccessSelectionOptions['shares'] {
  const shares: Partial<Record<AccessResult, number>> = {};
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const [, result = 'ok', share = ''] = /^\s*(?:(ok|failed|denied)\s*=)?\s*(\d+(?:\.\d+)?|\.\d+)\s*$/.exec(part) ?? [];
    if (share === '' || Number(share) > 1 || shares[result as AccessResult] !== undefined) return undefined;
    shares[result as AccessResult] = Number(share);
  }
  return shares;
}
