/**
 * A caller that pays, and obeys what it is told (l7-and-resilience C10).
 *
 *   not-dispatched ─▶ again, blindly, with the same key
 *   unknown, or no answer ─▶ again only where a key says that it is the same payment
 *   409 outcome unknown ─▶ stop: somebody must find out
 *   an answer of the ledger ─▶ done
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultKind } from './fault-kinds.ts';
import type { Sent } from './history.ts';
import { isConfirmed, isDefinite } from './invariants.ts';
import type { PaymentPlan, RunPlan, SendPlan } from './plan.ts';
import { send } from './send.ts';
import type { Outgoing, SendEnd } from './send.ts';
import type { WaypointReplica } from './waypoint-replica.ts';

export type CallerDeps = {
  /** The waypoint that is asked, and whether what a memory store knew of earlier requests is gone with another one. */
  readonly via: (wanted: 0 | 1) => { readonly waypoint: WaypointReplica; readonly forgetful: boolean };
  readonly authority: string;
  readonly note: (line: string) => void;
  readonly meet: (kind: FaultKind, where: string) => void;
};

/** More than any timeout of a run, with room for a busy machine, milliseconds. */
const boundMs = 8_000;

const idleSend: SendPlan = { via: 0, pauseMs: 10 };

export class Caller {
  readonly sends: Sent[] = [];
  /** It stopped because whoever knew of its earlier requests is gone. */
  stoppedForMemory = false;
  readonly #plan: RunPlan;
  readonly #payment: number;
  readonly #wants: PaymentPlan;
  readonly #deps: CallerDeps;
  readonly #key: string | undefined;
  #count = 0;

  constructor(plan: RunPlan, payment: number, wants: PaymentPlan, deps: CallerDeps) {
    this.#plan = plan;
    this.#payment = payment;
    this.#wants = wants;
    this.#deps = deps;
    this.#key = wants.keyed ? `s${plan.seed}-r${plan.run}-p${payment}` : undefined;
  }

  /** Pays, twice at once where the plan has a twin. */
  async pay(): Promise<void> {
    const { startMs, twin, replay, changedBody } = this.#wants;
    await sleep(startMs);
    if (twin) this.#deps.meet('twin', `payment ${this.#payment}`);
    const confirmed = await Promise.all(twin ? [this.#pursue(), this.#pursue()] : [this.#pursue()]);
    if (!confirmed.includes(true)) return;
    if (replay && !this.#deps.via(0).forgetful) await this.#send(idleSend, 1);
    if (!changedBody || this.#deps.via(0).forgetful) return;
    this.#deps.meet('changed-body', `payment ${this.#payment}`);
    await this.#send(idleSend, 2);
  }

  /** Sends until there is a definite answer, or nothing may be sent any more; true when it is confirmed. */
  async #pursue(): Promise<boolean> {
    for (const next of this.#wants.sends) {
      if (!this.#maySend(next)) return false;
      const { end } = await this.#send(next, 1);
      if (end.kind === 'answer' && isDefinite(end)) return isConfirmed({ end });
      if (!this.#mayRepeat(end)) return false;
      await sleep(end.kind === 'answer' && end.denied === 'idempotency-in-flight' ? next.pauseMs + 50 : next.pauseMs);
    }
    return false;
  }

  /** Keys that a memory store has lost with its waypoint protect nobody. */
  #maySend({ via }: SendPlan): boolean {
    if (!this.#deps.via(via).forgetful) return true;
    const harmless = this.sends.filter(
      ({ end }) => end.kind === 'not-sent' || (end.kind === 'answer' && end.outcome === 'not-dispatched'),
    );
    // All that were ever sent: a twin's may still be under way.
    if (harmless.length === this.#count) return true;
    this.stoppedForMemory = true;
    return false;
  }

  #mayRepeat(end: SendEnd): boolean {
    switch (end.kind) {
      case 'not-sent':
        return true;
      case 'silent':
        return false;
      case 'broken':
      case 'left':
        return this.#key !== undefined;
      case 'answer':
        if (end.status === 400 || end.status === 413 || end.status === 422) return false;
        if (end.denied === 'idempotency-unknown') return false;
        return end.outcome === 'not-dispatched' || this.#key !== undefined;
    }
  }

  async #send({ via, leaving }: SendPlan, amount: number): Promise<Sent> {
    const id = `r${this.#plan.run}.p${this.#payment}.s${this.#count++}`;
    const out = this.#outgoing(id, amount, leaving);
    const { waypoint } = this.#deps.via(via);
    this.#deps.note(`caller: ${id} is sent${amount === 1 ? '' : ' with another amount'}${leaving ? `, ${leaving.kind}` : ''}`);
    const startedMs = performance.now();
    const stream = await waypoint.connect(this.#deps.authority, AbortSignal.timeout(2_000));
    const end: SendEnd =
      stream === undefined ? { kind: 'not-sent' } : await send(stream, this.#plan.callerProtocol, out, boundMs);
    if (end.kind === 'left') this.#deps.meet(end.how, id);
    this.#deps.note(`caller: ${id} ${told(end)}`);
    const tookMs = performance.now() - startedMs;
    const sent: Sent = { id, payment: this.#payment, key: this.#key, changed: amount !== 1, end, tookMs };
    this.sends.push(sent);
    return sent;
  }

  #outgoing(id: string, amount: number, leaving: Outgoing['leaving']): Outgoing {
    const { requestPad, chunked } = this.#wants;
    const body = Buffer.from(JSON.stringify({ payment: this.#payment, amount, pad: 'p'.repeat(requestPad) }));
    const headers = {
      'content-type': 'application/json',
      'x-request-id': id,
      'x-run': String(this.#plan.run),
      'x-payment': String(this.#payment),
      'x-send': id,
      'x-digest': createHash('sha256').update(body).digest('hex'),
      ...(this.#key === undefined ? {} : { 'idempotency-key': this.#key }),
    };
    return { headers, body, chunked, leaving };
  }
}

function told(end: SendEnd): string {
  if (end.kind === 'broken') return `broke: ${end.detail}`;
  if (end.kind !== 'answer') return `ends: ${end.kind}`;
  const facts = [end.denied, end.outcome, end.replayed ? 'replayed' : undefined].filter((fact) => fact !== undefined);
  return `is answered ${end.status}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`;
}
