/**
 * Runs targets one after the other, again and again, until the time is over or something is found. In a worker of its own: what
 * never ends there is ended from here.
 *
 *   campaign ── seed, targets ──▶ worker ── progress, a finding, or done ──▶ campaign
 *      └──────── watches the mailbox, ends what hangs ────────┘
 */
import { Worker } from 'node:worker_threads';
import { Mailbox } from './mailbox.ts';

export type CampaignOptions = {
  /** A module that exports `targets`. */
  readonly targets: URL;
  /** Names; all when empty. */
  readonly only: readonly string[];
  readonly seed: number;
  readonly seconds: number;
  /** Only run this input, on the one target of `only`. */
  readonly replay?: Uint8Array;
  /** Milliseconds that one input may take. @default 1000 */
  readonly slowMs?: number;
  /** Milliseconds after which an input is taken to hang. @default 10 000 */
  readonly hangMs?: number;
  /** Bytes by which the memory may grow after the first rounds. @default 32 MiB */
  readonly growthBytes?: number;
};

export type TargetCount = {
  readonly name: string;
  readonly executions: number;
  readonly seconds: number;
  /** Different things that came of inputs. */
  readonly outcomes: number;
};

export type Finding = {
  readonly target: string;
  readonly kind: 'broken' | 'slow' | 'hangs' | 'memory';
  readonly message: string;
  /** The smallest that was found, and the length of the first; none for memory. */
  readonly input?: Uint8Array;
  readonly firstLength?: number;
};

export type CampaignResult = { readonly counts: readonly TargetCount[]; readonly finding: Finding | undefined };

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly counts: readonly TargetCount[] }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'done' };

export type WorkerOptions = Required<Omit<CampaignOptions, 'targets' | 'replay' | 'hangMs'>> & {
  readonly targets: string;
  readonly replay: Uint8Array | undefined;
  readonly mailbox: SharedArrayBuffer;
};

export async function campaign(
  options: CampaignOptions,
  onProgress: (counts: readonly TargetCount[]) => void,
  signal?: AbortSignal,
): Promise<CampaignResult> {
  const mailbox = new Mailbox();
  const { targets, only, seed, seconds, replay, slowMs = 1000, hangMs = 10_000, growthBytes = 32 * 1024 * 1024 } = options;
  const workerData: WorkerOptions = {
    only,
    seed,
    seconds,
    replay,
    slowMs,
    growthBytes,
    targets: targets.href,
    mailbox: mailbox.shared,
  };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  let counts: readonly TargetCount[] = [];
  const over = Promise.withResolvers<Finding | undefined>();
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'progress') onProgress((counts = message.counts));
    else over.resolve(message.kind === 'finding' ? message.finding : undefined);
  });
  worker.on('error', over.reject);
  worker.on('exit', (code) => over.reject(new Error(`the worker ended with ${code}`)));
  const stop = (): void => over.resolve(undefined);
  signal?.addEventListener('abort', stop, { once: true });
  const names = (await import(targets.href)) as { readonly targets: readonly { readonly name: string }[] };
  const nameOf = (index: number): string => names.targets[index]?.name ?? '';
  const watch = watchFor(mailbox, hangMs, nameOf, over.resolve);
  try {
    return { finding: await over.promise, counts };
  } finally {
    clearInterval(watch);
    signal?.removeEventListener('abort', stop);
    worker.removeAllListeners('exit');
    await worker.terminate();
  }
}

function watchFor(
  mailbox: Mailbox,
  hangMs: number,
  nameOf: (index: number) => string,
  found: (finding: Finding) => void,
): NodeJS.Timeout {
  let seen = mailbox.sequence;
  let sinceMs = performance.now();
  return setInterval(() => {
    const { sequence } = mailbox;
    if (sequence !== seen || sequence % 2 === 0) {
      seen = sequence;
      sinceMs = performance.now();
    } else if (performance.now() - sinceMs > hangMs) {
      const { target, input } = mailbox.current;
      const message = `not done after ${hangMs} ms; not made smaller, since it never comes back`;
      found({ target: nameOf(target), kind: 'hangs', message, input, firstLength: input.length });
    }
  }, hangMs / 20);
}
