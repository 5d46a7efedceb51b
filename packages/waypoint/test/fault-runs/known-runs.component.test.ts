import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import type { LedgerFault } from './fault-kinds.ts';
import type { RunHistory } from './history.ts';
import { violations } from './invariants.ts';
import { Lane } from './lane.ts';
import { drawPlan } from './plan.ts';
import type { Leaving, PaymentPlan, RunPlan } from './plan.ts';

const calm: RunPlan['policy'] = {
  mode: 'none',
  store: 'memory',
  keyRequired: false,
  requestMs: 2_000,
  attempts: 0,
  retriesAll: false,
  breaker: false,
  outlier: false,
  tight: false,
  leaseMs: 3_000,
  maxBodyBytes: 262_144,
  maxReplayBytes: 65_536,
};

function payment(changes: { readonly leaving?: Leaving; readonly fault?: LedgerFault; readonly pad?: number }): PaymentPlan {
  const { leaving, fault, pad = 500 } = changes;
  return {
    startMs: 0,
    keyed: false,
    requestPad: pad,
    answerPad: 0,
    chunked: true,
    twin: false,
    replay: false,
    changedBody: false,
    faults: [fault],
    sends: [{ via: 0, pauseMs: 5, ...(leaving === undefined ? {} : { leaving }) }],
  };
}

describe('a run that once failed', () => {
  let directory: string;
  let lane: Lane;
  let runs = 0;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'waypoint-known-runs-'));
    const keyFile = path.join(directory, 'domain.key');
    await writeFile(keyFile, Buffer.alloc(32, 7));
    lane = await Lane.open({ number: 99, keyFile }, await TestCertificates.create());
  });

  after(async () => {
    await lane[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  async function run(changes: Partial<RunPlan>): Promise<RunHistory> {
    const base = { ...drawPlan(0, 0), run: runs++, policy: calm, laterPolicy: calm, protocol: 'HTTP/2', replicas: 1 } as const;
    const history = await lane.run({ ...base, tunnels: [], events: [], callerProtocol: 'HTTP/1.1', ...changes });
    expect(violations(history)).to.deep.equal([]);
    return history;
  }

  it('carries a small answer over HTTP/2, whose end comes with its head', async () => {
    for (const pad of [0, 500, 90_000]) {
      const { sends } = await run({ payments: [payment({ pad }), payment({ pad })] });
      expect(sends.map(({ end }) => (end.kind === 'answer' ? end.status : end.kind))).to.deep.equal([201, 201]);
    }
  });

  it('goes on after callers that leave in the middle of a body for HTTP/2', async () => {
    const leaving = { kind: 'leave-mid-body' } as const;
    for (let round = 0; round < 8; round += 1) {
      const { sends, bookings } = await run({ payments: [payment({ leaving, pad: round * 20 }), payment({})] });
      expect(sends.map(({ end }) => end.kind).toSorted()).to.deep.equal(['answer', 'left']);
      expect(bookings.length).to.equal(1);
    }
  });

  it('never shows a ledger a part of a body as the whole when an attempt is given up', async () => {
    const policy = { ...calm, requestMs: 90 };
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      const payments = [payment({ fault: 'slow-reading', pad: 300_000 })];
      const { arrivals } = await run({ protocol, policy, laterPolicy: policy, payments });
      expect(arrivals.map(({ whole }) => whole)).to.deep.equal([false]);
    }
  });
});
