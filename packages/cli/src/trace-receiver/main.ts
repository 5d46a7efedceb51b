/**
 * A trace receiver as a process: `node main.ts [--port <n>] [--host <address>] [--traces <n>]`. It prints one line when it
 * is ready, `trace-receiver ready on http://127.0.0.1:4318`, and ends by SIGTERM or SIGINT.
 */
import { parseArgs } from 'node:util';
import { TraceReceiver } from './receiver-server.ts';
import { TraceStore } from './trace-store.ts';

const usage = 'usage: trace-receiver [--port <0-65535>] [--host <address>] [--traces <1-100000>]\n';

/** A whole number in range, or the end of the process. */
function numberOption(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
  return fail(`--${name} ${text}: use a whole number from ${min} to ${max}`);
}

function fail(problem: string): never {
  process.stderr.write(`trace-receiver: ${problem}\n${usage}`);
  process.exit(2);
}

function readOptions(): { readonly port: string; readonly host: string; readonly traces: string } {
  try {
    return parseArgs({
      options: {
        // OTLP/HTTP's own.
        port: { type: 'string', default: '4318' },
        host: { type: 'string', default: '127.0.0.1' },
        traces: { type: 'string', default: '500' },
      },
    }).values;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { promise: ending, resolve: end } = Promise.withResolvers<void>();
process.on('SIGTERM', () => end()).on('SIGINT', () => end());

const { host, ...options } = readOptions();
const store = new TraceStore({ maxTraces: numberOption('traces', options.traces, 1, 100_000) });
const port = numberOption('port', options.port, 0, 65_535);
try {
  await using receiver = await TraceReceiver.listen({ host, port }, { store });
  process.stdout.write(`trace-receiver ready on ${receiver.url}\n`);
  await ending;
} catch (error) {
  process.stderr.write(`trace-receiver: cannot listen on ${host} port ${port}: ${String(error)}\n`);
  process.exitCode = 1;
}
