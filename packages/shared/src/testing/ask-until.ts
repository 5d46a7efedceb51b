/** Waiting for what others bring about: by asking again, with a bound. */
import { setTimeout as pause } from 'node:timers/promises';

export type Patience = {
  /** Milliseconds. @default 10 000 */
  readonly limitMs?: number;
  /** Between two askings, milliseconds. @default 0: a turn of the loop */
  readonly pauseMs?: number;
  readonly signal?: AbortSignal;
};

/** The first answer that is wanted, or the last one in time. */
export async function askUntil<Answer>(
  isWanted: (answer: Answer) => boolean,
  ask: () => Answer | Promise<Answer>,
  { limitMs = 10_000, pauseMs = 0, signal }: Patience = {},
): Promise<Answer> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer) || performance.now() > deadlineMs) return answer;
    await pause(pauseMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** Resolves as soon as it holds; an error that says what did not. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { limitMs = 10_000, ...patience }: Patience = {},
): Promise<void> {
  const held = await askUntil((answer) => answer, holds, { limitMs, ...patience });
  if (!held) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
}
