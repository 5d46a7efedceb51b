/** One watch, from its opening to its end. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { parseWatchLine, readLines } from './watch-lines.ts';
import type { ApiClient } from './api-client.ts';
import type { ApiFailure } from './api-answer.ts';
import type { Resource } from './resource.ts';
import type { WatchEvent } from './watch-lines.ts';

export type WatchRequest = {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly resource: Resource;
  /** Changes after this version are sent. */
  readonly version: string;
  /** Seconds after which the server ends the watch. */
  readonly timeoutS: number;
};

export type ObjectEvent = Extract<WatchEvent, { readonly kind: 'changed' | 'removed' }>;

/** `version`: what was seen whole. */
export type WatchEnd =
  /** By the server, a cut, or silence: it may go on from there. */
  | { readonly kind: 'ended'; readonly version: string }
  /** A fresh list is needed. */
  | { readonly kind: 'expired'; readonly version: string }
  /** It did not begin. */
  | { readonly kind: 'failed'; readonly failure: ApiFailure };

type Deps = {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly onOpen: () => void;
  readonly onEvent: (event: ObjectEvent) => void;
};

/** Milliseconds without a byte: servers send a bookmark about every minute, so that one which hangs is found out. */
const silenceMs = 150_000;

/** Rejects only when `signal` aborts. */
export async function readWatch(request: WatchRequest, deps: Deps, signal: AbortSignal): Promise<WatchEnd> {
  const query = {
    ...request.query,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: request.version,
    timeoutSeconds: String(request.timeoutS),
  };
  const stream = await deps.api.open({ path: request.path, query }, signal);
  if (stream.kind !== 'open') return { kind: 'failed', failure: stream };
  deps.onOpen();
  const progress = { version: request.version };
  try {
    return await follow(watchful(stream.body, deps.clock), request.resource, progress, deps);
  } catch {
    signal.throwIfAborted();
    return { kind: 'ended', version: progress.version };
  } finally {
    stream.body.destroy();
  }
}

async function follow(
  chunks: AsyncIterable<Uint8Array>,
  resource: Resource,
  progress: { version: string },
  deps: Deps,
): Promise<WatchEnd> {
  for await (const line of readLines(chunks)) {
    const event = parseWatchLine(line, resource);
    // An error is mostly 410; whatever else it is, a fresh list is never wrong.
    if (event.kind === 'error' || event.kind === 'malformed') return { kind: 'expired', version: progress.version };
    if (event.kind !== 'bookmark') deps.onEvent(event);
    progress.version = event.version;
  }
  return { kind: 'ended', version: progress.version };
}

/** The body, destroyed when it is silent for too long. */
async function* watchful(
  body: AsyncIterable<Uint8Array> & { destroy(error: Error): unknown },
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const arm = (): (() => void) => clock.after(silenceMs, () => void body.destroy(new Error('the watch fell silent')));
  let cancel = arm();
  try {
    for await (const chunk of body) {
      cancel();
      cancel = arm();
      yield chunk;
    }
  } finally {
    cancel();
  }
}
