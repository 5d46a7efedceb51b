/**
 * Keeps the snapshot subscribed to the control plane, for as long as the proxy lives (l4-contract section 3.1).
 *
 *   idle ── start ──▶ running ── dispose ──▶ stopped
 *
 *   running:  connecting ── TLS, HTTP/2 ──▶ streaming ── end or error ──▶ waiting ── back-off ──▶ connecting …
 *                 └── unreachable ───────────────────────────────────────────▲
 *
 * X1  Nothing the control plane does or sends ends the client: every attempt ends in a value, and another one follows.
 * X2  State outlives streams: the last configuration keeps serving, and a new stream tells what is known.
 *     What is asked for on demand is told to the stream, or to the next one.
 * X3  Back-off starts at 10 ms and doubles up to 15 s. It starts over after an end or a transport failure of a stream
 *     that had brought something; a control plane that fails every stream at once is not stormed for that.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import { Backoff } from '../lifecycle/backoff.ts';
import { delay } from '../lifecycle/clock.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Random } from '../lifecycle/random.ts';
import type { Logger } from '../observe/log.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { DeltaClient } from '../subscribe/delta-client.ts';
import type { DeltaPush, Rejection } from '../subscribe/delta-client.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node } from '../wire/gen/xds/discovery_pb.ts';
import { Outbox } from './outbox.ts';
import { XdsConnection } from './xds-connection.ts';
import type { XdsRemote } from './xds-connection.ts';

export type XdsClientOptions = {
  readonly remote: XdsRemote;
  readonly node: Node;
  /** Type URLs to subscribe to. @default addresses and policies */
  readonly types?: readonly string[];
  /** Addresses are asked for one by one, by {@link XdsClient.ask}. @default false */
  readonly onDemand?: boolean;
};

/** Ends of a stream, as `istio_xds_connection_terminations` names them. */
export type XdsTermination = 'ConnectionError' | 'Error' | 'Reconnect' | 'Complete';

export type XdsClientDeps = {
  /** Applies a push and returns what was rejected; must not throw. */
  readonly apply: (push: DeltaPush) => readonly Rejection[];
  /** Called once, when a response of each type was acknowledged. */
  readonly recvSynced: () => void;
  /** Names asked for that were answered, after what the answer brought was applied. Must not throw. */
  readonly recvAnswered?: (names: readonly string[]) => void;
  readonly metrics: { xdsTerminated(reason: XdsTermination): void; xdsReceived(url: string, bytes: number): void };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/** Answers that may wait while the control plane does not read; it gets one for each response it sends. */
const maxUnreadRequests = 1_000;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly controller: AbortController; readonly done: Promise<void> }
  | { readonly kind: 'stopped' };

/** How an attempt ended; `brought` tells whether the stream had delivered a response. */
type Outcome = { readonly termination: XdsTermination; readonly brought: boolean; readonly error?: MeshError };

export class XdsClient implements AsyncDisposable {
  readonly #options: XdsClientOptions;
  readonly #deps: XdsClientDeps;
  readonly #delta: DeltaClient;
  readonly #backoff: Backoff;
  #state: State = { kind: 'idle' };
  /** Of the stream, while there is one. */
  #outbox: Outbox<DeltaDiscoveryRequest> | undefined;

  constructor(options: XdsClientOptions, deps: XdsClientDeps) {
    this.#options = options;
    this.#deps = deps;
    const { node, types, onDemand = false } = options;
    this.#delta = new DeltaClient({ node, onDemand, ...(types === undefined ? {} : { types }) });
    this.#backoff = new Backoff({ initialMs: 10, maxMs: 15_000, jitter: 0.2 }, deps);
  }

  /** Starts once; goes on until disposed. */
  start(): void {
    if (this.#state.kind !== 'idle') return;
    const controller = new AbortController();
    this.#state = { kind: 'running', controller, done: this.#run(controller.signal) };
  }

  /** As {@link DeltaClient.stateOf}. */
  stateOf(name: string): 'pending' | 'answered' | undefined {
    return this.#delta.stateOf(name);
  }

  /** As {@link DeltaClient.ask}; the stream hears of it as soon as there is one. */
  ask(name: string): boolean {
    const isAsked = this.#delta.ask(name);
    this.#outbox?.wake();
    return isAsked;
  }

  /** As {@link DeltaClient.assume}. */
  assume(name: string): void {
    this.#delta.assume(name);
    this.#recvAnswered();
  }

  /** As {@link DeltaClient.giveUp}. */
  giveUp(name: string): void {
    this.#delta.giveUp(name);
    this.#outbox?.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind !== 'running') return;
    state.controller.abort();
    await state.done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const outcome = await this.#attempt(signal);
      if (signal.aborted) return;
      this.#deps.metrics.xdsTerminated(outcome.termination);
      // X3. Other statuses, such as a refused token, are worth a pause even if the stream had brought something.
      if (outcome.brought && outcome.termination !== 'Error') this.#backoff.reset();
      const delayMs = this.#backoff.next();
      this.#log(outcome, delayMs);
      await delay(this.#deps.clock, delayMs, signal).catch(() => {});
    }
  }

  async #attempt(signal: AbortSignal): Promise<Outcome> {
    const ending = new AbortController();
    const stop = AbortSignal.any([signal, ending.signal]);
    let brought = false;
    try {
      using connection = await XdsConnection.open(this.#options.remote, this.#deps, signal);
      const outbox = new Outbox<DeltaDiscoveryRequest>(maxUnreadRequests, () => this.#delta.takeRequest());
      for (const request of this.#delta.connected()) outbox.send(request);
      this.#outbox = outbox;
      try {
        for await (const response of connection.stream(outbox, stop)) {
          if (!brought) this.#deps.logger.info('stream established', { url: this.#options.remote.url });
          brought = true;
          if (!outbox.send(this.#recvResponse(response))) throw unread(this.#options.remote.url);
        }
        return { termination: 'Complete', brought };
      } finally {
        this.#outbox = undefined;
        outbox.close();
        ending.abort();
      }
    } catch (thrown) {
      return outcomeOf(thrown, brought);
    }
  }

  #recvResponse(response: DeltaDiscoveryResponse): DeltaDiscoveryRequest {
    const bytes = response.resources.reduce((sum, { resource }) => sum + (resource?.value.length ?? 0), 0);
    this.#deps.metrics.xdsReceived(response.typeUrl, bytes);
    const wasSynced = this.#delta.synced;
    const answer = this.#answer(response);
    if (answer.errorDetail !== undefined) {
      this.#deps.logger.error('resources were rejected; their last good versions keep serving [MESH-XDS-002]', {
        error: answer.errorDetail.message,
      });
    }
    this.#recvAnswered();
    if (!wasSynced && this.#delta.synced) this.#deps.recvSynced();
    return answer;
  }

  #recvAnswered(): void {
    const answered = this.#delta.takeAnswered();
    if (answered.length > 0) this.#deps.recvAnswered?.(answered);
  }

  /** A defect of ours must not look like a transport failure, which is retried at once. */
  #answer(response: DeltaDiscoveryResponse): DeltaDiscoveryRequest {
    try {
      return this.#delta.recvResponse(response, this.#deps.apply);
    } catch (error) {
      throw MeshError.from(error, 'MESH-INTERNAL-001');
    }
  }

  #log({ termination, error }: Outcome, delayMs: number): void {
    const retry = `retrying in ${Math.round(delayMs)}ms`;
    if (error === undefined) this.#deps.logger.info(`the control plane ended the stream, ${retry}`);
    else this.#deps.logger.warn(`${error.message}, ${retry}`, { termination, hint: error.hint });
  }
}

function outcomeOf(thrown: unknown, brought: boolean): Outcome {
  if (thrown instanceof MeshError) return { termination: brought ? 'Error' : 'ConnectionError', brought, error: thrown };
  const grpc = ConnectError.from(thrown);
  const error = new MeshError('MESH-XDS-001', {
    message: `the stream to the control plane failed: ${grpc.message}`,
    cause: thrown,
  });
  return { termination: isTransport(grpc) ? 'Reconnect' : 'Error', brought, error };
}

function unread(url: string): MeshError {
  return new MeshError('MESH-XDS-001', { message: `the control plane at ${url} does not read what it is sent` });
}

/** Failures that say nothing about the request: the connection went, or a restarting server said so. */
function isTransport({ code, rawMessage }: ConnectError): boolean {
  const transport = [Code.Unknown, Code.Canceled, Code.DeadlineExceeded, Code.Unavailable];
  return transport.includes(code) || /goaway|connection (?:closed|reset|error)|transport/i.test(rawMessage);
}
