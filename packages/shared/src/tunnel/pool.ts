/**
 * Which tunnel a new stream goes to (section 2.4), as decisions; nothing here opens or closes anything.
 *
 *   per key:  none ── checkout ──▶ connecting ── recvConnected ──▶ offered ── full | idle | unusable ──▶ none
 *                                      └── recvFailed ──▶ none
 *
 * P1  At most one tunnel per key is being made, and at most one is offered.
 * P2  A tunnel is offered while it holds fewer streams than it may. The checkout that fills it is its last, even when streams
 *     end later; so is the checkout that finds it unusable.
 * P3  A tunnel nobody asked for during `idleMs` is offered no more.
 * P4  Each tunnel that was offered is retired once: by `retire`, or by the checkout that says it is the last.
 */
import type { Cancel, Clock } from '../lifecycle/clock.ts';

/** What the pool looks at. */
export type PoolMember = {
  readonly activeStreams: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS of the peer. */
  readonly peerMaxStreams: number;
  /** False after GOAWAY, close or loss. */
  readonly usable: boolean;
};

export type PoolOptions = {
  /** Streams of one tunnel. @default 100 */
  readonly maxStreams?: number;
  /** Milliseconds. @default 300 000 */
  readonly idleMs?: number;
};

export type Checkout<Member> =
  /** Open the stream on this tunnel now, before anything else is checked out; after the last one retire it. */
  | { readonly kind: 'use'; readonly member: Member; readonly last: boolean }
  /** Make a tunnel; then say recvConnected or recvFailed. */
  | { readonly kind: 'connect' }
  /** Somebody is making one; check out again when that is settled. */
  | { readonly kind: 'wait' };

type Slot<Member> =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'offered'; readonly member: Member; usedAtMs: number; cancelIdle: Cancel };

export class TunnelPool<Member extends PoolMember> {
  readonly #maxStreams: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #retire: (member: Member) => void;
  readonly #slots = new Map<string, Slot<Member>>();

  constructor(options: PoolOptions, deps: { readonly clock: Clock; readonly retire: (member: Member) => void }) {
    this.#maxStreams = options.maxStreams ?? 100;
    this.#idleMs = options.idleMs ?? 300_000;
    this.#clock = deps.clock;
    this.#retire = deps.retire;
  }

  checkout(key: string): Checkout<Member> {
    const slot = this.#slots.get(key);
    if (slot?.kind === 'connecting') return { kind: 'wait' };
    if (slot === undefined || !this.#hasRoom(slot.member)) {
      if (slot !== undefined) this.#retire(this.#withdraw(key, slot));
      this.#slots.set(key, { kind: 'connecting' });
      return { kind: 'connect' };
    }
    slot.usedAtMs = this.#clock.monotonicMs();
    const last = slot.member.activeStreams + 1 >= this.#limit(slot.member);
    if (last) this.#withdraw(key, slot);
    return { kind: 'use', member: slot.member, last };
  }

  /** The tunnel that `checkout` asked for is there; it is offered from now on. */
  recvConnected(key: string, member: Member): void {
    const slot: Slot<Member> = { kind: 'offered', member, usedAtMs: this.#clock.monotonicMs(), cancelIdle: () => {} };
    this.#slots.set(key, slot);
    this.#watchIdle(key, slot, this.#idleMs);
  }

  /** The tunnel that `checkout` asked for could not be made. */
  recvFailed(key: string): void {
    if (this.#slots.get(key)?.kind === 'connecting') this.#slots.delete(key);
  }

  /** The tunnel is gone, or must not be used any more. */
  discard(key: string, member: Member): void {
    const slot = this.#slots.get(key);
    if (slot?.kind === 'offered' && slot.member === member) this.#retire(this.#withdraw(key, slot));
  }

  /** Stops offering anything. */
  clear(): void {
    for (const [key, slot] of this.#slots) if (slot.kind === 'offered') this.#retire(this.#withdraw(key, slot));
    this.#slots.clear();
  }

  #hasRoom(member: Member): boolean {
    return member.usable && member.activeStreams < this.#limit(member);
  }

  #limit(member: Member): number {
    return Math.min(this.#maxStreams, member.peerMaxStreams);
  }

  #withdraw(key: string, slot: Slot<Member> & { readonly kind: 'offered' }): Member {
    this.#slots.delete(key);
    slot.cancelIdle();
    return slot.member;
  }

  #watchIdle(key: string, slot: Slot<Member> & { readonly kind: 'offered' }, delayMs: number): void {
    slot.cancelIdle = this.#clock.after(delayMs, () => {
      const leftMs = slot.usedAtMs + this.#idleMs - this.#clock.monotonicMs();
      if (leftMs > 0) this.#watchIdle(key, slot, leftMs);
      else this.#retire(this.#withdraw(key, slot));
    });
  }
}
