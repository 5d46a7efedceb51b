/** An OPA server's data API: POST /v1/data/<path> (OPA REST API, "Get a Document with Input"). */
import { Pool } from 'undici';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import { readBounded } from './bounded-text.ts';
import type { Evaluation, OpaEngine } from './opa-engine.ts';
import { isRecord } from './is-record.ts';

export type OpaServerOptions = {
  /** `http://host:port`, perhaps with a path. */
  readonly url: string;
  /** Of the rule, such as `envoy/authz/allow`. */
  readonly path: string;
  /** One question, milliseconds. @default 200 */
  readonly timeoutMs?: number;
  /** Connections to the server. @default 16 */
  readonly connections?: number;
  /** Questions waiting for a connection or an answer; more are not asked. @default 1 024 */
  readonly maxPending?: number;
  /** Of one answer. @default 1 048 576 */
  readonly maxBytes?: number;
};

export class OpaServerEngine implements OpaEngine {
  readonly cacheable: boolean = true;
  readonly started: Promise<void> = Promise.resolve();
  readonly #options: Required<OpaServerOptions>;
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #target: string;
  readonly #listeners = new Set<() => void>();
  #revision = '';
  #pending = 0;

  constructor(options: OpaServerOptions, deps: { readonly clock: Clock }) {
    this.#options = { timeoutMs: 200, connections: 16, maxPending: 1_024, maxBytes: 1_048_576, ...options };
    this.#clock = deps.clock;
    const url = new URL(options.url);
    this.#pool = new Pool(url.origin, { connections: this.#options.connections, keepAliveTimeout: 30_000 });
    // Provenance names the bundles' revisions, the only way to know by which policy a server decided.
    this.#target = `${url.pathname.replace(/\/$/, '')}/v1/data/${options.path}?provenance=true`;
  }

  get revision(): string {
    return this.#revision;
  }

  async evaluate(input: string, signal: AbortSignal): Promise<Evaluation> {
    if (this.#pending >= this.#options.maxPending) return unavailable(`${this.#pending} questions to the OPA server are open`);
    const { timeoutMs } = this.#options;
    const reason = (): Error => new Error(`the OPA server did not answer within ${timeoutMs} ms`);
    using deadline = new Deadline({ limitMs: timeoutMs, reason }, { clock: this.#clock });
    this.#pending += 1;
    try {
      return await this.#ask(input, deadline.within(signal));
    } catch (thrown) {
      return unavailable(reasonOf(thrown));
    } finally {
      this.#pending -= 1;
    }
  }

  onActivation(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear();
    await this.#pool.destroy();
  }

  async #ask(input: string, signal: AbortSignal): Promise<Evaluation> {
    const answer = await this.#pool.request({
      path: this.#target,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"input":${input}}`,
      signal,
    });
    const text = await readBounded(answer.body, this.#options.maxBytes);
    if (answer.statusCode !== 200) return unavailable(`the OPA server answered ${answer.statusCode}`);
    const document = parseAnswer(text);
    if (document === undefined) return unavailable('the OPA server’s answer is no JSON object');
    this.#recvRevision(revisionOf(document));
    return { kind: 'result', value: document['result'], revision: this.#revision };
  }

  #recvRevision(revision: string): void {
    if (revision === this.#revision) return;
    this.#revision = revision;
    for (const listener of this.#listeners) listener();
  }
}

function parseAnswer(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isRecord(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

/** Bundles by name, then by revision; "" for policies that came without a bundle. */
function revisionOf({ provenance }: Readonly<Record<string, unknown>>): string {
  const bundles = isRecord(provenance) ? provenance['bundles'] : undefined;
  if (!isRecord(bundles)) return '';
  return Object.keys(bundles)
    .sort()
    .map((name) => {
      const bundle = bundles[name];
      return `${name}@${isRecord(bundle) && typeof bundle['revision'] === 'string' ? bundle['revision'] : ''}`;
    })
    .join(',');
}

function unavailable(reason: string): Evaluation {
  return { kind: 'unavailable', reason };
}

/** undici tells the cause of a failed connection in `cause` or in the code. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return 'code' in thrown && thrown.code === 'ECONNREFUSED' ? 'the OPA server does not accept connections' : thrown.message;
}
