/**
 * What one packet of the node agent asks for, by the phase of the conversation (l4-contract section 5). No I/O.
 *
 *   snapshot ── snapshotSent ──▶ steady
 *
 * Z1  Every packet gets exactly one answer.
 * Z2  A packet that cannot be read ends this connection only; one that breaks the order of the protocol ends the
 *     process, since the agent and the proxy then disagree about which pods are captured.
 * Z3  After the snapshot every pod it did not mention is removed.
 */
import type { InvalidPacket, ZdsPodInfo, ZdsRequest } from '@clearmesh/shared/wire/zds';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';

/** One packet as it arrived; `descriptors` counts what came with it. */
export type ZdsPacket = {
  readonly request: ZdsRequest | InvalidPacket;
  readonly descriptors: number;
  readonly truncated: boolean;
};

export type ZdsStep =
  | { readonly kind: 'start'; readonly uid: string; readonly info: ZdsPodInfo }
  | { readonly kind: 'stop'; readonly uid: string }
  /** Only the bookkeeping of the snapshot changed. */
  | { readonly kind: 'noted' }
  /** Before the snapshot a Del only means: do not try to start it any more. */
  | { readonly kind: 'forget-pending'; readonly uid: string }
  /** The snapshot is complete: every other pod goes. */
  | { readonly kind: 'retain'; readonly uids: ReadonlySet<string> }
  | { readonly kind: 'reconnect'; readonly error: string }
  | { readonly kind: 'fatal'; readonly error: string };

type State = { readonly kind: 'snapshot'; readonly mentioned: Set<string> } | { readonly kind: 'steady' };

/** The agent's side of one connection. */
export class ZdsSession {
  #state: State = { kind: 'snapshot', mentioned: new Set() };

  /** True once the snapshot was complete. */
  get steady(): boolean {
    return this.#state.kind === 'steady';
  }

  /** What to do for one packet. */
  recvPacket(packet: ZdsPacket): ZdsStep {
    const unreadable = whyUnreadable(packet);
    if (unreadable !== undefined) return { kind: 'reconnect', error: `failure to read message: ${unreadable}` };
    const { request } = packet;
    switch (request.kind) {
      case 'add':
        return this.#recvAdd(request.uid, request.info);
      case 'keep':
        return this.#recvKeep(request.uid);
      case 'del':
        return this.#recvDel(request.uid);
      case 'snapshotSent':
        return this.#recvSnapshotSent();
      case 'invalid':
        return { kind: 'fatal', error: `failure to process message: ${request.reason}` };
      default:
        return unreachable(request);
    }
  }

  #recvAdd(uid: string, info: ZdsPodInfo): ZdsStep {
    if (this.#state.kind === 'snapshot') this.#state.mentioned.add(uid);
    return { kind: 'start', uid, info };
  }

  #recvKeep(uid: string): ZdsStep {
    if (this.#state.kind === 'steady')
      return { kind: 'fatal', error: 'failure to process message: pod keep received after snapshot' };
    this.#state.mentioned.add(uid);
    return { kind: 'noted' };
  }

  #recvDel(uid: string): ZdsStep {
    if (this.#state.kind === 'steady') return { kind: 'stop', uid };
    this.#state.mentioned.delete(uid);
    return { kind: 'forget-pending', uid };
  }

  #recvSnapshotSent(): ZdsStep {
    if (this.#state.kind === 'steady')
      return { kind: 'fatal', error: 'failure to process message: pod snapshot received already' };
    const uids = this.#state.mentioned;
    this.#state = { kind: 'steady' };
    return { kind: 'retain', uids };
  }
}

function whyUnreadable({ request, descriptors, truncated }: ZdsPacket): string | undefined {
  if (truncated) return 'received truncated message';
  if (descriptors > 1) return `expected one descriptor, got ${descriptors}`;
  if (request.kind === 'invalid') return request.cause === 'malformed' ? request.reason : undefined;
  if (request.kind === 'add' && descriptors === 0) return 'an add carries no descriptor of the pod’s network namespace';
  if (request.kind !== 'add' && descriptors === 1) return `a ${request.kind} carries a descriptor`;
  return undefined;
}
