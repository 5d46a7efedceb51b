import { expect } from 'chai';
import { describe, it } from 'mocha';
import { bypass } from '../../src/demo/steps/bypass.ts';
import { drill } from '../../src/demo/steps/drill.ts';
import { fourEyes } from '../../src/demo/steps/four-eyes.ts';
import { paidOnce } from '../../src/demo/steps/paid-once.ts';
import type { Step } from '../../src/demo/step.ts';
import type { Answer, Question, World } from '../../src/demo/world.ts';
import { fakeWorld } from './fake-world.ts';

const limit = (): AbortSignal => AbortSignal.timeout(50);
const holds = async (step: Step<World>, world: World): Promise<boolean> =>
  (await step.check(world, limit()).catch(() => ({ ok: false }))).ok;

const trace = '1'.repeat(32);
const booked: Answer = { status: 200, body: { pod: 'ledger-0', client: 'x', traceId: trace, afterMs: 5, headers: {} } };
const refused = (status: number, error: string, headers: object = {}): Answer => {
  return { status: 502, body: { error: `${status} ${error}`, status, traceId: trace, afterMs: 5, headers } };
};
const journal = (counts: object, entries = 3): Answer => ({ status: 200, body: { entries, counts, balances: 0 } });
const access = { scope: 'access', trace_id: trace, attempts: 1 };
/** Asks in turn, and logs `lines` with each. */
const asking = (lines: readonly object[], answer: (path: string, key: string, question: Question) => Answer): World => {
  const world = fakeWorld({ answers: {}, lines });
  const log = world.podLog('');
  return {
    ...world,
    until: () => Promise.resolve(),
    ask: (key, _method, path, _signal, question = {}) => {
      for (const line of lines) log.recvLine(JSON.stringify(line));
      return Promise.resolve(answer(path, key, question));
    },
  };
};

describe('paidOnce', () => {
  const world = (first: Answer, later: Answer, times: number, attempts = 1): World => {
    const payments = [first, later, later];
    return asking([{ ...access, attempts }], (path, key, { body }) => {
      if (path === '/journal') return journal(key === 'ledger/ledger-0' ? { 'rent-2027-01': times } : {});
      if (path === '/drill') return { status: 200, body: {} };
      return body !== undefined && 'key' in body ? (payments.shift() ?? later) : booked;
    });
  };
  const unknown = refused(503, 'ended', { 'x-mesh-outcome': 'unknown' });
  const kept = refused(409, 'unknown');
  for (const [name, asked, ok] of [
    ['an unknown outcome, a key that stays refused, and one entry', world(unknown, kept, 1), true],
    ['a second entry', world(unknown, kept, 2), false],
    ['no entry', world(unknown, kept, 0), false],
    ['a second attempt', world(unknown, kept, 1, 2), false],
    ['an outcome that claims nothing was sent', world(refused(503, 'x', { 'x-mesh-outcome': 'not-dispatched' }), kept, 1), false],
    ['the same key booked later', world(unknown, booked, 1), false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(paidOnce, asked)).to.equal(ok);
    });
  }
});

describe('fourEyes', () => {
  const line = { ...access, policy: { name: 'OpaPolicy ledger/four-eyes', bundle_rev: '1' }, durations: { authz: 3 } };
  const data = '{ "limit": 2000 }';
  /** Judges as the policy would, by the data as it stands. */
  const world = (changes: {
    readonly lines?: readonly object[];
    readonly approves?: boolean;
    readonly limit?: number;
  }): World => {
    const { lines = [line], approves = true, limit: applied } = changes;
    let text = data;
    const judged = ({ body = {} }: Question): Answer => {
      const { amount = '1250.00', approver, initiator = 'carol' } = body as Readonly<Record<string, string>>;
      const most = applied ?? Number(/\d+/.exec(text)?.[0]);
      if (Number(amount) <= most || (approves && approver !== undefined && approver !== initiator)) return booked;
      return refused(403, 'needs a second approver');
    };
    return {
      ...asking(lines, (_path, _key, question) => judged(question)),
      read: () => Promise.resolve(text),
      write: (_file, next) => {
        text = next ?? '';
        return Promise.resolve();
      },
    };
  };
  for (const [name, asked, ok] of [
    ['a refusal by the policy, an approval, and data that counts', world({}), true],
    ['a refusal by somebody else', world({ lines: [{ ...line, policy: { name: 'OpaPolicy ledger/other' } }] }), false],
    ['an approval that does not help', world({ approves: false }), false],
    ['no limit at all', world({ limit: 1e9 }), false],
    ['data that changes nothing', world({ limit: 2000 }), false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(fourEyes, asked)).to.equal(ok);
    });
  }
});

describe('bypass', () => {
  const inbound = {
    scope: 'access',
    direction: 'inbound',
    'dst.workload': 'ledger-0',
    'src.identity': 'spiffe://cluster.local/ns/payments/sa/payments',
    error: 'connection closed due to policy rejection: x may not reach y without its waypoint: service a requires b',
  };
  const forged = {
    scope: 'access',
    trace_id: 'f0'.repeat(16),
    src_principal: 'spiffe://cluster.local/ns/customer-analytics/sa/analytics',
  };
  const shut: Answer = { status: 200, body: { answered: false, error: 'ECONNRESET' } };
  const world = (lie: number, by: readonly object[], open: string | undefined, entries: readonly number[]): World => {
    const counts = [...entries];
    return asking(by, (path, key, { body }) => {
      if (path === '/journal') return journal({}, key === 'ledger/ledger-0' ? (counts.shift() ?? 0) : 0);
      const { headers } = body as { readonly headers: object };
      if ('x-mesh-caller' in headers) return { status: 200, body: { answered: true, status: lie } };
      return key === open ? { status: 200, body: { answered: true, status: 201 } } : shut;
    });
  };
  for (const [name, asked, ok] of [
    ['every way shut, the lie refused as its teller, and nothing booked', world(403, [inbound, forged], undefined, [3, 3]), true],
    ['one way open', world(403, [inbound, forged], 'default/stranger-0', [3, 3]), false],
    ['an entry more', world(403, [inbound, forged], undefined, [3, 4]), false],
    ['a lie that is believed', world(201, [inbound, forged], undefined, [3, 3]), false],
    [
      'a lie logged as payments',
      world(403, [inbound, { ...forged, src_principal: inbound['src.identity'] }], undefined, [3, 3]),
      false,
    ],
    ['another reason than the waypoint', world(403, [{ ...inbound, error: 'denied' }, forged], undefined, [3, 3]), false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(bypass, asked)).to.equal(ok);
    });
  }
});

describe('drill', () => {
  const experiment = 'FaultExperiment ledger/slow-balances';
  const balance = (afterMs: number, headers: object = {}): Answer => ({
    status: 200,
    body: { pod: 'ledger-0', afterMs, headers },
  });
  const slow = balance(305, { 'x-mesh-fault': experiment });
  const finding = { object: experiment, field: 'metadata.namespace', message: 'is no test environment' };
  const world = (balances: readonly Answer[], payment: Answer, found: object = finding): World & { readonly files: string[] } => {
    const answers = [...balances];
    const files: string[] = [];
    return {
      ...asking([], (path) => (path === '/pay' ? payment : (answers.shift() ?? balance(5)))),
      files,
      write: (file, text) => {
        if (text === undefined) files.splice(files.indexOf(file), 1);
        else files.push(file);
        return Promise.resolve();
      },
      edit: () => Promise.resolve('ledger.yaml'),
      status: () => Promise.resolve({ serving: 'last-good', objects: {}, rejections: [found] }) as ReturnType<World['status']>,
    };
  };
  const marked = { ...booked, body: { ...booked.body, headers: { 'x-mesh-fault': experiment } } };
  for (const [name, asked, ok] of [
    ['a delay that is marked and over by itself, and a payment untouched', world([balance(5), slow], booked), true],
    ['a delay shorter than ordered', world([balance(5), balance(20, { 'x-mesh-fault': experiment })], booked), false],
    ['a payment that is hit', world([balance(5), slow], marked), false],
    ['a finding about something else', world([balance(5), slow], booked, { ...finding, message: 'is misspelt' }), false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect([await holds(drill, asked), asked.files]).to.deep.equal([ok, []]);
    });
  }
});
