/** Where the traces of a simulated cluster go: the receiver as a program in the control namespace, asked over its own HTTP. */
import type { Lab } from '@clearmesh/lab/lab';
import type { ReceivedSpan } from '../trace-receiver/span.ts';
import { Program } from './program.ts';
import type { ProgramDeps } from './program.ts';

/** OTLP over HTTP. */
const port = 4318;

export type TraceReceiverDeps = ProgramDeps & { readonly lab: Pick<Lab, 'spawn' | 'request' | 'control'> };

export class TraceReceiverProcess implements AsyncDisposable {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is set to. */
  readonly url: string;
  readonly program: Program;
  readonly #lab: TraceReceiverDeps['lab'];

  private constructor(url: string, program: Program, lab: TraceReceiverDeps['lab']) {
    this.url = url;
    this.program = program;
    this.#lab = lab;
  }

  /** Resolves when it takes spans; MESH-HOST-001 with its last words when it keeps ending. */
  static async start(
    { command }: { readonly command: readonly string[] },
    deps: TraceReceiverDeps,
    signal: AbortSignal,
  ): Promise<TraceReceiverProcess> {
    const { ip, namespacePath } = deps.lab.control;
    const whole = [...command, '--host', ip, '--port', String(port)];
    await using starting = new AsyncDisposableStack();
    const program = starting.use(await Program.start({ name: 'trace-receiver', namespacePath, command: whole }, deps));
    const isReady = ({ message }: Readonly<Record<string, unknown>>): boolean => String(message).includes('ready on');
    await program.log.find(0, isReady, AbortSignal.any([signal, program.failure]));
    starting.move();
    return new TraceReceiverProcess(`http://${ip}:${port}`, program, deps.lab);
  }

  /** The spans received of a trace so far, by their start. */
  async trace(traceId: string, signal: AbortSignal): Promise<readonly ReceivedSpan[]> {
    const { ip, namespacePath } = this.#lab.control;
    const request = { ip, port, path: `/traces/${traceId}`, timeoutMs: 2000, signal };
    const { status, body } = await this.#lab.request(namespacePath, request);
    return status === 200 ? (JSON.parse(body) as { readonly spans: readonly ReceivedSpan[] }).spans : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}
