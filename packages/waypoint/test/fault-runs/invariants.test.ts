import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { RunHistory, Sent } from './history.ts';
import { violations } from './invariants.ts';
import type { Arrival } from './journal.ts';
import { drawPlan } from './plan.ts';
import type { RunPlan } from './plan.ts';
import type { Answered } from './send.ts';

type Mode = RunPlan['policy']['mode'];

const bookedBody = JSON.stringify({ ledger: true, booked: true });
const refusedBody = JSON.stringify({ ledger: true, booked: false });

const confirmed: Answered = {
  kind: 'answer',
  status: 201,
  outcome: undefined,
  denied: undefined,
  replayed: false,
  bodyOmitted: false,
  body: bookedBody,
};
const notDispatched: Answered = { ...confirmed, status: 503, outcome: 'not-dispatched', denied: 'connect-failure', body: '{}' };
const unknown: Answered = { ...notDispatched, outcome: 'unknown', denied: 'reset' };

function sent(id: string, end: Sent['end'], changes: Partial<Sent> = {}): Sent {
  return { id, payment: 0, key: 'k', changed: false, end, tookMs: 1, ...changes };
}

function arrival(send: string, changes: Partial<Arrival> = {}): Arrival {
  const answered = { status: 201, body: bookedBody };
  const told = { run: 0, payment: 0, send, key: 'k', digest: '' };
  return {
    ...told,
    number: 0,
    replica: 0,
    fault: undefined,
    refused: false,
    whole: true,
    intact: true,
    booked: true,
    answered,
    ...changes,
  };
}

/** A run of one payment; its log says what was told unless `changes` say otherwise. */
function history(
  mode: Mode,
  sends: readonly Sent[],
  arrivals: readonly Arrival[],
  changes: Partial<RunHistory> = {},
): RunHistory {
  const drawn = drawPlan(1, 0);
  const [payment] = drawn.payments;
  const plan = { ...drawn, policy: { ...drawn.policy, mode }, payments: [{ ...payment!, keyed: mode !== 'none' }] };
  const bookings = arrivals.flatMap(({ booked, number, key }) => (booked ? [{ number, payment: 0, key, arrival: number }] : []));
  const logged = new Map(
    sends.flatMap(({ id, end }) => (end.kind === 'answer' ? [[id, [end.outcome ?? 'completed']] as const] : [])),
  );
  return { plan, sends, arrivals, bookings, met: [], stoppedForMemory: 0, logged, left: [], lines: [], ...changes };
}

describe('the invariants of a fault run', () => {
  const replay: Answered = { ...confirmed, replayed: true };
  const holding: readonly (readonly [string, RunHistory])[] = [
    ['a payment that is confirmed at once', history('key', [sent('a', confirmed)], [arrival('a')])],
    ['a replay', history('key', [sent('a', confirmed), sent('b', replay)], [arrival('a')])],
    ['a repetition after not-dispatched', history('none', [sent('a', notDispatched), sent('b', confirmed)], [arrival('b')])],
    ['an unknown outcome that was booked', history('none', [sent('a', unknown)], [arrival('a')])],
    ['an unknown outcome that was not', history('none', [sent('a', unknown)], [arrival('a', { booked: false })])],
    [
      'an attempt that the ledger refused by protocol',
      history('key', [sent('a', notDispatched)], [arrival('a', { refused: true, booked: false })]),
    ],
    [
      'a repetition that the ledger deduplicates',
      history('native', [sent('a', unknown), sent('b', confirmed)], [arrival('a'), arrival('b', { number: 1 })], {
        bookings: [{ number: 0, payment: 0, key: 'k', arrival: 0 }],
      }),
    ],
  ];
  for (const [name, run] of holding) {
    it(`hold for ${name}`, () => {
      expect(violations(run)).to.deep.equal([]);
    });
  }

  const broken: readonly (readonly [string, string, RunHistory])[] = [
    ['V1', 'a payment that is booked twice', history('key', [sent('a', confirmed)], [arrival('a'), arrival('a', { number: 1 })])],
    [
      'V1',
      'a repetition that nobody deduplicates',
      history('none', [sent('a', unknown)], [arrival('a'), arrival('a', { number: 1, booked: false })]),
    ],
    [
      'V1',
      'a changed body under a used key',
      history('key', [sent('a', unknown, { changed: true })], [arrival('a', { booked: false })]),
    ],
    ['V2', 'a confirmed payment that is lost', history('key', [sent('a', confirmed)], [arrival('a')], { bookings: [] })],
    [
      'V3',
      'a request told not-dispatched that reached the ledger',
      history('key', [sent('a', notDispatched)], [arrival('a', { booked: false })]),
    ],
    ['V3', 'a request that was never sent and arrived', history('key', [sent('a', { kind: 'not-sent' })], [arrival('a')])],
    ['V4', 'an answer of nobody', history('key', [sent('a', { ...confirmed, status: 500, body: '' })], [arrival('a')])],
    [
      'V4',
      'an answer that says too little',
      history('key', [sent('a', { ...confirmed, status: 500, body: refusedBody })], [arrival('a')]),
    ],
    [
      'V4',
      'an answer that says too much',
      history('key', [sent('a', { ...confirmed, status: 500 })], [arrival('a', { booked: false })]),
    ],
    ['V5', 'a replay with another status', history('key', [sent('a', { ...replay, status: 200 })], [arrival('a')])],
    ['V5', 'a replay with another body', history('key', [sent('a', { ...replay, body: `${bookedBody} ` })], [arrival('a')])],
    ['V6', 'a request that nobody answers', history('key', [sent('a', { kind: 'silent' })], [])],
    ['V7', 'a slot that is not given back', history('key', [], [], { left: ['waypoint-0: requests 1'] })],
    ['V8', 'a part of a body taken for the whole', history('key', [sent('a', unknown)], [arrival('a', { intact: false })])],
    [
      'V9',
      'an access log that says something else',
      history('key', [sent('a', unknown)], [], { logged: new Map([['a', ['not-dispatched']]]) }),
    ],
    [
      'V9',
      'two lines for one request',
      history('key', [sent('a', unknown)], [], { logged: new Map([['a', ['unknown', 'unknown']]]) }),
    ],
    ['V9', 'an answered request without a line', history('key', [sent('a', unknown)], [], { logged: new Map() })],
  ];
  for (const [law, name, run] of broken) {
    it(`find ${name} (${law})`, () => {
      expect(violations(run).map((line) => line.slice(0, 2))).to.include(law);
    });
  }
});
