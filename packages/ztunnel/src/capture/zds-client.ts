/**
 * Keeps a conversation with the node agent and obeys it (l4-contract section 5).
 *
 *   dialling ── connected, hello sent ──▶ talking ── end | unreadable packet ──▶ dialling
 *                                            └────── protocol broken ─────────▶ stopped (onFatal)
 *
 * A1  Pods that are up stay up while the agent is away; only a complete snapshot removes what it does not mention.
 * A2  Every packet is answered before the next one is read.
 * A3  Every descriptor that arrives is either owned by a pod or closed.
 */
import type { ReceivedPacket } from '@clearmesh/linux/seqpacket';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { decodeZdsRequest, encodeAck, encodeHello } from '@clearmesh/shared/wire/zds';
import type { NamespaceHandle, PodSpec } from './pods.ts';
import { ZdsSession } from './zds-session.ts';
import type { ZdsStep } from './zds-session.ts';

/** One SOCK_SEQPACKET connection to the agent. */
export interface AgentConnection extends AsyncDisposable {
  send(bytes: Uint8Array): void;
  /** The next packet, or `undefined` at the end. */
  receive(signal: AbortSignal): Promise<ReceivedPacket | undefined>;
}

/** The part of the set of pods that the agent may change. */
export interface CapturedPods<Namespace extends NamespaceHandle> {
  add(spec: PodSpec<Namespace>): string | undefined;
  remove(uid: string): void;
  retain(uids: ReadonlySet<string>): void;
  forgetPendingPod(uid: string): void;
  forgetPending(): void;
}

export type ZdsClientDeps<Namespace extends NamespaceHandle> = {
  readonly dial: (signal: AbortSignal) => Promise<AgentConnection>;
  readonly pods: CapturedPods<Namespace>;
  /** Takes ownership of a descriptor; throws when it is no network namespace. */
  readonly adoptNamespace: (fd: number) => Namespace;
  readonly closeDescriptor: (fd: number) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `synced` once the snapshot was acknowledged, `lost` when the conversation ended. */
  readonly onState: (state: 'synced' | 'lost') => void;
  /** The agent broke the protocol: this process must drain and end with status 1. */
  readonly onFatal: (error: MeshError) => void;
};

type ConversationEnd =
  | { readonly kind: 'ended' | 'unreadable'; readonly progress: boolean }
  | { readonly kind: 'fatal'; readonly error: MeshError };

const initialBackoffMs = 10;
const maxBackoffMs = 15_000;

/** Dials, obeys, dials again, until the signal says stop. */
export class ZdsClient<Namespace extends NamespaceHandle> {
  readonly #deps: ZdsClientDeps<Namespace>;
  readonly #backoff: Backoff;

  constructor(deps: ZdsClientDeps<Namespace>) {
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: initialBackoffMs, maxMs: maxBackoffMs }, { random: deps.random });
  }

  /** Runs until `signal` aborts or the agent broke the protocol; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = await this.#converse(signal);
      if (end.kind === 'fatal') return this.#deps.onFatal(end.error);
      if (end.progress) this.#backoff.reset();
      // An agent that ended an ordinary conversation is dialled again at once; one that gets nowhere is given time.
      if (!end.progress || end.kind === 'unreadable') await delay(this.#deps.clock, this.#backoff.next(), signal).catch(() => {});
    }
  }

  async #converse(signal: AbortSignal): Promise<ConversationEnd> {
    let progress = false;
    try {
      await using connection = await this.#deps.dial(signal);
      this.#deps.pods.forgetPending();
      connection.send(encodeHello());
      this.#deps.logger.info('connected to the node agent');
      const session = new ZdsSession();
      for (;;) {
        const packet = await connection.receive(signal);
        if (packet === undefined) return { kind: 'ended', progress };
        const { step, error } = this.#recvPacket(session, packet);
        connection.send(encodeAck(error));
        if (step === 'fatal')
          return {
            kind: 'fatal',
            error: new MeshError('MESH-ZDS-001', { message: `the node agent broke the protocol: ${error}` }),
          };
        if (step === 'reconnect') return { kind: 'unreadable', progress };
        if (step === 'retain') this.#deps.onState('synced');
        progress = true;
      }
    } catch (thrown) {
      if (!signal.aborted) this.#recvFailure(thrown);
      return { kind: 'ended', progress };
    } finally {
      this.#deps.onState('lost');
    }
  }

  #recvFailure(thrown: unknown): void {
    const error = MeshError.from(thrown, 'MESH-ZDS-001');
    this.#deps.logger.warn('no conversation with the node agent', { error: error.message, hint: error.hint });
  }

  #recvPacket(session: ZdsSession, packet: ReceivedPacket): { readonly step: ZdsStep['kind']; readonly error: string } {
    const step = session.recvPacket({
      request: decodeZdsRequest(packet.bytes),
      descriptors: packet.fds.length,
      truncated: packet.truncated,
    });
    if (step.kind !== 'start') for (const fd of packet.fds) this.#deps.closeDescriptor(fd);
    return { step: step.kind, error: this.#obey(step, packet.fds[0] ?? -1) };
  }

  /** The text of the answer: empty when all went well. */
  #obey(step: ZdsStep, fd: number): string {
    const { pods, logger } = this.#deps;
    switch (step.kind) {
      case 'start':
        return this.#start(step, fd);
      case 'stop':
        pods.remove(step.uid);
        return '';
      case 'noted':
        return '';
      case 'forget-pending':
        pods.forgetPendingPod(step.uid);
        return '';
      case 'retain':
        pods.retain(step.uids);
        logger.info('snapshot of the node’s pods is complete', { pods: step.uids.size });
        return '';
      case 'reconnect':
      case 'fatal':
        logger.error('packet of the node agent refused', { error: step.error });
        return step.error;
      default:
        return unreachable(step);
    }
  }

  #start(step: Extract<ZdsStep, { readonly kind: 'start' }>, fd: number): string {
    try {
      const failure = this.#deps.pods.add({ uid: step.uid, info: step.info, namespace: this.#deps.adoptNamespace(fd) });
      return failure === undefined ? '' : `failure to start proxy: ${failure}`;
    } catch (thrown) {
      return `failure to start proxy: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
  }
}
