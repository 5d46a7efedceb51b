import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { trace } from '../../src/demo/steps/trace.ts';
import type { World } from '../../src/demo/world.ts';
import type { ReceivedSpan } from '../../src/trace-receiver/span.ts';
import { fakeWorld } from './fake-world.ts';

const traceId = '1'.repeat(32);
const payer = 'spiffe://cluster.local/ns/payments/sa/payments';
const time = '2027-01-01T00:00:01.000Z';
const lines = [
  { scope: 'access', trace_id: traceId, src_addr: '10.0.0.1:4000' },
  { scope: 'access', direction: 'outbound', 'src.addr': '10.0.0.1:4000', time, duration: '9ms' },
  { scope: 'access', direction: 'inbound', 'dst.workload': 'ledger-0', 'src.caller': payer, time, duration: '900ms' },
];
const clock = {
  monotonicMs: () => 0,
  after: (_ms: number, run: () => void) => (queueMicrotask(run), () => {}),
} as unknown as Clock;

const span = (
  spanId: string,
  parentSpanId: string | undefined,
  service: string,
  kind: ReceivedSpan['kind'] = 'server',
): ReceivedSpan => ({
  traceId,
  spanId,
  ...(parentSpanId === undefined ? {} : { parentSpanId }),
  name: 'x',
  kind,
  startMs: Date.parse(time) - 900,
  durationMs: 10,
  status: 'unset',
  service,
  attributes: {},
});
const whole = [
  span('a', undefined, 'payments'),
  span('b', 'a', 'payments', 'client'),
  span('c', 'b', 'ledger-waypoint'),
  span('d', 'c', 'ledger-waypoint', 'client'),
  span('e', 'd', 'ledger'),
];

function world(batches: readonly (readonly ReceivedSpan[])[]): World {
  const left = [...batches];
  const answer = { status: 200, body: { pod: 'ledger-0', client: 'x', traceId, afterMs: 1 } };
  return fakeWorld({ answers: { 'POST /pay': answer }, lines }, { clock, trace: () => Promise.resolve(left.shift() ?? whole) });
}

describe('trace', () => {
  for (const [name, batches, ok] of [
    ['five spans under one root', [whole], true],
    ['spans that come bit by bit', [[], whole.slice(0, 2), whole], true],
    ['a ledger that hangs under nothing', [[...whole.slice(0, 4), span('e', 'f', 'ledger')]], false],
    ['no span of the ledger', [[...whole.slice(0, 4), span('e', 'd', 'payments')]], false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect((await trace.check(world(batches), AbortSignal.timeout(100))).ok).to.equal(ok);
    });
  }

  it('hands on the spans and both connections, the kept one cut to the trace', async () => {
    const { trace: found } = await trace.check(world([whole]), AbortSignal.timeout(100));
    expect(found?.spans).to.equal(whole);
    expect(found?.connections.map(({ name, parentSpanId, durationMs }) => [name, parentSpanId, durationMs])).to.deep.equal([
      ['ztunnel node-a outbound', 'b', 9],
      ['ztunnel node-b inbound, kept', 'd', 10],
    ]);
  });
});
