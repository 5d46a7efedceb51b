/** wrk's text output as figures. */

export type WrkResult = {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly errors: number;
};

/** The arguments for one run. `fresh` asks for a new connection for each request. */
export function wrkArguments(options: {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly fresh: boolean;
}): string[] {
  const close = options.fresh ? ['-H', 'Connection: close'] : [];
  return ['wrk', '-t1', `-c${options.connections}`, `-d${options.seconds}s`, '--latency', ...close, options.url];
}

/** Throws with wrk's own output when it has no result line: a bench without figures is a failure, not a zero. */
export function parseWrk(text: string): WrkResult {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text);
  const total = /(\d+) requests in/.exec(text);
  if (rate === null || total === null) throw new Error(`wrk gave no result:\n${text}`);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const badStatus = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  return {
    requests: Number(total[1]),
    requestsPerSecond: Number(rate[1]),
    p50Us: percentile(text, '50'),
    p99Us: percentile(text, '99'),
    errors: socketErrors.reduce((sum, count) => sum + Number(count), badStatus),
  };
}

const microseconds: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };

function percentile(text: string, which: string): number {
  const [, value, unit = 'us'] = new RegExp(`^\\s+${which}%\\s+([\\d.]+)(us|ms|s|m)`, 'm').exec(text) ?? [];
  return Number(value ?? Number.NaN) * (microseconds[unit] ?? Number.NaN);
}
