/**
 * Why a run ends from outside: a signal, a defect, or the death of the launcher. Each becomes one abort, so that every way
 * out passes the same clean-up; a signal that comes again ends at once, and the next start cleans what stayed.
 */

export type EndingOptions = {
  /** Process number of the launcher that started us; @default none, so that its end is not watched */
  readonly launcher?: number;
};

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
const watchMs = 500;
const echoMs = 500;

/** The reason of an abort by a signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** 128 + number, as shells report it. */
  readonly exitCode: number;

  constructor(signal: keyof typeof signals) {
    super(`ended by ${signal}`);
    this.exitCode = 128 + signals[signal];
  }
}

/** Aborts at the first reason to end. */
export function endingOf(process: NodeJS.Process, options: EndingOptions = {}): AbortSignal {
  const ending = new AbortController();
  let endedAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const reason = new Interrupted(signal);
      // Ctrl-C comes twice when a launcher passes on what the terminal sent to both.
      if (ending.signal.aborted && performance.now() - endedAt > echoMs) process.exit(reason.exitCode);
      if (!ending.signal.aborted) endedAt = performance.now();
      ending.abort(reason);
    });
  }
  process.on('uncaughtException', (error) => ending.abort(error));
  const { launcher } = options;
  if (launcher !== undefined) {
    // The kernel gives an orphan another parent: the only trace a SIGKILL of the launcher leaves with us.
    setInterval(() => process.ppid === launcher || ending.abort(new Interrupted('SIGTERM')), watchMs).unref();
  }
  return ending.signal;
}
