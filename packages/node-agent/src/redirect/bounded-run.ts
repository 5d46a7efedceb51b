/** Few commands at a time: a node whose hundreds of pods are all looked at must not start hundreds of programs at once. */
import type { RunInNamespace } from './namespace-command.ts';

/** The same runner, with at most `limit` commands under way; others wait in order. */
export function atMost(limit: number, run: RunInNamespace): RunInNamespace {
  let free = limit;
  const waiting: (() => void)[] = [];
  return async (namespace, command, input, signal) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run(namespace, command, input, signal);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
