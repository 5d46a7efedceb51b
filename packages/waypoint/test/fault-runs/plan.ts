/**
 * What happens in one run, drawn from seed and number alone: who sends what, what fails, and when.
 *
 * P1  A plan knows no clock and no port: `--seed S --run K` gives it again, whatever ran before.
 * P2  Faults stand by arrival, not by replica: the n-th attempt of a payment that reaches the ledger meets the n-th one.
 */
import { Draw } from '@clearmesh/shared/testing/draw';
import type { LedgerFault, RunFault, TunnelFault } from './fault-kinds.ts';
import { drawPolicy } from './plan-policy.ts';
import type { PolicyPlan } from './plan-policy.ts';

/** How a caller leaves the request it has sent. */
export type Leaving =
  | { readonly kind: 'leave'; readonly afterMs: number }
  | { readonly kind: 'leave-mid-body' }
  | { readonly kind: 'leave-in-answer' };

export type SendPlan = {
  /** Which waypoint is called. */
  readonly via: 0 | 1;
  readonly leaving?: Leaving;
  /** Pause before the request is sent again, milliseconds. */
  readonly pauseMs: number;
};

export type PaymentPlan = {
  readonly startMs: number;
  readonly keyed: boolean;
  /** Bytes of padding in request and answer. */
  readonly requestPad: number;
  readonly answerPad: number;
  readonly chunked: boolean;
  /** Two senders at once with the same key. */
  readonly twin: boolean;
  /** Once confirmed: the same request again, and another one under the same key. */
  readonly replay: boolean;
  readonly changedBody: boolean;
  /** By arrival; none beyond the list. */
  readonly faults: readonly (LedgerFault | undefined)[];
  readonly sends: readonly SendPlan[];
};

export type EventPlan = {
  readonly kind: RunFault;
  readonly atMs: number;
  /** How long it lasts, where it ends. */
  readonly forMs: number;
  readonly replica: number;
};

export type RunPlan = {
  readonly seed: number;
  readonly run: number;
  readonly policy: PolicyPlan;
  /** In force after a change in mid-flight. */
  readonly laterPolicy: PolicyPlan;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** What the caller speaks inside its tunnel stream. */
  readonly callerProtocol: 'HTTP/1.1' | 'HTTP/2';
  readonly replicas: number;
  /** By replica, then by tunnel asked for. */
  readonly tunnels: readonly (readonly (TunnelFault | undefined)[])[];
  readonly payments: readonly PaymentPlan[];
  readonly events: readonly EventPlan[];
};

const sends = 6;
const maxReplicas = 5;

export function drawPlan(seed: number, run: number): RunPlan {
  const draw = new Draw(seed, run);
  const policy = drawPolicy(draw);
  const protocol = draw.chance(0.4) ? 'HTTP/2' : 'HTTP/1.1';
  const replicas = draw.int(1, maxReplicas);
  // Some runs are calm but for one thing, so that its effect is seen alone.
  const trouble = draw.pick([0.15, 0.35, 0.6]);
  return {
    seed,
    run,
    policy,
    laterPolicy: { ...drawPolicy(draw), mode: policy.mode, store: policy.store, keyRequired: policy.keyRequired },
    protocol,
    callerProtocol: draw.chance(0.25) ? 'HTTP/2' : 'HTTP/1.1',
    replicas,
    tunnels: Array.from({ length: replicas }, () => (draw.chance(0.25) ? drawTunnels(draw) : [])),
    payments: Array.from({ length: draw.int(1, 4) }, () => drawPayment(draw, policy, protocol, trouble)),
    events: drawEvents(draw, policy, replicas),
  };
}

function drawPayment(draw: Draw, policy: PolicyPlan, protocol: RunPlan['protocol'], trouble: number): PaymentPlan {
  const keyed = policy.mode !== 'none' && (policy.keyRequired || draw.chance(0.85));
  const faults = Array.from({ length: 6 }, () => (draw.chance(trouble) ? drawLedgerFault(draw, protocol) : undefined));
  const slow = faults.includes('slow-reading');
  return {
    startMs: draw.int(0, 60),
    keyed,
    // Beyond the replay bound of 64 KiB, and beyond what the connection holds, now and then; rarely more than a keyed body may be.
    requestPad: slow ? draw.int(100_000, 300_000) : draw.pick([0, 0, 0, 500, 500, 3_000, 3_000, 40_000, 90_000, 250_000]),
    answerPad: draw.pick([0, 0, 700, 700, 30_000]),
    chunked: draw.chance(0.4),
    twin: keyed && draw.chance(0.2),
    replay: keyed && draw.chance(0.5),
    changedBody: keyed && policy.mode === 'key' && draw.chance(0.3),
    faults,
    sends: Array.from({ length: sends }, () => drawSend(draw, trouble)),
  };
}

function drawSend(draw: Draw, trouble: number): SendPlan {
  const base = { via: draw.chance(0.4) ? 1 : 0, pauseMs: draw.int(5, 60) } as const;
  if (!draw.chance(trouble * 0.35)) return base;
  const kind = draw.weighted({ leave: 3, 'leave-mid-body': 2, 'leave-in-answer': 2 });
  return { ...base, leaving: kind === 'leave' ? { kind, afterMs: draw.int(1, 250) } : { kind } };
}

function drawLedgerFault(draw: Draw, protocol: RunPlan['protocol']): LedgerFault {
  const http2 = protocol === 'HTTP/2' ? 2 : 0;
  return draw.weighted<LedgerFault>({
    'reset-before-reading': 1,
    'die-before-booking': 1,
    'die-after-booking': 2,
    'half-head': 1,
    'half-body': 1,
    'malformed-answer': 1,
    'late-past-try': 1,
    'late-past-request': 0.4,
    'late-booking': 1,
    '500-before-booking': 1,
    '500-after-booking': 1,
    '503-retry-after': 1,
    'slow-reading': 0.7,
    'close-after-answer': 1,
    'refused-stream': http2,
    goaway: http2,
  });
}

function drawTunnels(draw: Draw): readonly (TunnelFault | undefined)[] {
  return Array.from({ length: draw.int(1, 3) }, () =>
    draw.chance(0.7)
      ? draw.weighted<TunnelFault>({ 'refuse-tunnel': 2, 'deny-tunnel': 1, 'late-tunnel': 2, 'cut-tunnel': 1 })
      : undefined,
  );
}

function drawEvents(draw: Draw, { store }: PolicyPlan, replicas: number): readonly EventPlan[] {
  const redis = store === 'redis' ? 0.12 : 0;
  const shares: Readonly<Record<RunFault, number>> = {
    'refuse-connect': 0.12,
    'endpoint-removed': 0.12,
    'configuration-change': 0.12,
    drain: 0.04,
    'redis-kill': redis,
    'redis-restart': redis,
    'redis-pause': redis,
  };
  const events: EventPlan[] = [];
  let redisIsIll = false;
  for (const [kind, share] of Object.entries(shares) as [RunFault, number][]) {
    if (!draw.chance(share)) continue;
    // One thing at a time for the server: who is dead cannot be paused.
    if (kind.startsWith('redis') && redisIsIll) continue;
    redisIsIll ||= kind.startsWith('redis');
    events.push({ kind, atMs: draw.int(0, 200), forMs: draw.int(30, 400), replica: draw.int(0, replicas - 1) });
  }
  return events.sort((one, other) => one.atMs - other.atMs);
}
