import { expect } from 'chai';
import { describe, it } from 'mocha';
import { allowed } from '../../src/demo/steps/allowed.ts';
import { ciphertext } from '../../src/demo/steps/ciphertext.ts';
import { refused } from '../../src/demo/steps/refused.ts';
import { stranger } from '../../src/demo/steps/stranger.ts';
import type { Step } from '../../src/demo/step.ts';
import type { Answer, World } from '../../src/demo/world.ts';
import { fakeWorld } from './fake-world.ts';
import type { Script } from './fake-world.ts';

const inbound = { scope: 'access', direction: 'inbound', message: 'connection complete' };
const payer = 'spiffe://cluster.local/ns/payments/sa/payments';
const booked: Answer = { status: 200, body: { pod: 'ledger-0', client: 'ip of payments/payments-0' } };
const closed: Answer = { status: 200, body: { answered: false, error: 'ECONNRESET', afterMs: 4 } };
const answered: Answer = { status: 200, body: { answered: true, answer: ':1' } };
const limit = (): AbortSignal => AbortSignal.timeout(50);
const holds = async (step: Step<World>, script: Script): Promise<boolean> =>
  (await step.check(fakeWorld(script), limit()).catch(() => ({ ok: false }))).ok;

describe('allowed', () => {
  const line = {
    ...inbound,
    'dst.workload': 'ledger-0',
    'src.identity': payer,
    'dst.identity': 'spiffe://cluster.local/ns/ledger/sa/ledger',
  };
  for (const [name, script, ok] of [
    ['both identities and the caller’s address', { answers: { 'POST /pay': booked }, lines: [line] }, true],
    ['no identity', { answers: { 'POST /pay': booked }, lines: [{ ...line, 'src.identity': undefined }] }, false],
    [
      'the proxy’s address in place of the caller’s',
      { answers: { 'POST /pay': { ...booked, body: { ...booked.body, client: '10.0.0.1' } } }, lines: [line] },
      false,
    ],
    ['a refused payment', { answers: { 'POST /pay': { status: 502, body: { error: 'ECONNRESET' } } }, lines: [] }, false],
    ['no line in the log', { answers: { 'POST /pay': booked }, lines: [] }, false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(allowed, script)).to.equal(ok);
    });
  }
});

describe('refused', () => {
  const line = {
    ...inbound,
    'dst.workload': 'store-0',
    'src.identity': payer,
    error: 'denied',
    policy: 'customer-analytics/never-payments',
    rule: 0,
  };
  // payments and analytics ask with the same path: the fake tells them apart by order.
  const world = (first: Answer, second: Answer, lines: readonly object[]): World => {
    const base = fakeWorld({ answers: { 'GET /report': closed }, lines });
    const order = [first, second];
    return { ...base, ask: async (key, method, path, signal) => (await base.ask(key, method, path, signal), order.shift()!) };
  };
  for (const [name, first, second, lines, ok] of [
    ['policy and rule named', closed, answered, [line], true],
    ['another policy', closed, answered, [{ ...line, policy: 'customer-analytics/other' }], false],
    ['no rule', closed, answered, [{ ...line, rule: undefined }], false],
    ['an answer to payments', answered, answered, [line], false],
    ['no answer to analytics either', closed, closed, [line], false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      const finding = await refused.check(world(first, second, lines), limit());
      expect(finding.ok).to.equal(ok);
    });
  }

  it('names policy, rule and caller in its evidence', async () => {
    const { facts } = await refused.check(world(closed, answered, [line]), limit());
    expect(facts.slice(0, 2)).to.deep.equal([
      'payments-0 got ECONNRESET after 4 ms',
      'denied by customer-analytics/never-payments, rule 0',
    ]);
    expect(facts[2]).to.equal(`caller ${payer}`);
  });
});

describe('stranger', () => {
  const line = { ...inbound, 'dst.workload': 'ledger-1', error: 'denied', policy: 'clearmesh-system/strict' };
  for (const [name, answer, lines, ok] of [
    ['a denial without an identity', closed, [line], true],
    ['a denial of somebody known', closed, [{ ...line, 'src.identity': payer }], false],
    ['an answer', answered, [line], false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(stranger, { answers: { 'GET /try': answer }, lines })).to.equal(ok);
    });
  }
});

describe('ciphertext', () => {
  const stream = {
    from: 'a',
    to: 'b',
    version: 'TLSv1.3',
    groupsOffered: ['X25519MLKEM768', 'X25519'],
    groupChosen: 'X25519MLKEM768',
    alpn: ['h2'],
    sni: undefined,
  };
  const answers = { 'POST /pay': booked, 'GET /report': answered };
  for (const [name, heard, ok] of [
    ['TLS 1.3 and nothing else', { tlsStreams: [stream] }, true],
    ['a byte in clear', { tlsStreams: [stream], plaintextBytes: 1 }, false],
    ['a secret seen', { tlsStreams: [stream], secretsSeen: [{ secret: 0, from: 'a', to: 'b' }] }, false],
    ['an older version', { tlsStreams: [{ ...stream, version: 'TLSv1.2' }] }, false],
    ['another group first', { tlsStreams: [stream, { ...stream, groupsOffered: ['X25519'] }] }, false],
    ['no TLS at all', { tlsStreams: [] }, false],
  ] as const) {
    it(`${ok ? 'holds' : 'does not hold'} with ${name}`, async () => {
      expect(await holds(ciphertext, { answers, lines: [], heard })).to.equal(ok);
    });
  }
});
