import { Backoff } from '../../src/lifecycle/backoff.ts';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { identity } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { expect } from 'chai';
import { createSecureContext } from 'node:tls';
import { describe, it } from 'mocha';
import { CertificateEntry } from '../../src/certificates/certificate-entry.ts';
import { SigningQueue } from '../../src/certificates/signing-queue.ts';
import type { WorkloadCertificate } from '../../src/certificates/workload-certificate.ts';

const id = identity('bank', 'client');
const hourMs = 3_600_000;
const context = createSecureContext();

type Attempt = {
  readonly atMs: number;
  readonly signal: AbortSignal;
  sign(lifeMs?: number): Promise<void>;
  fail(why: string): Promise<void>;
};

/** An entry whose authority is the test. */
function bed(): {
  clock: FakeClock;
  entry: CertificateEntry;
  attempts: Attempt[];
  retries: number[];
  attempt(): Promise<Attempt>;
} {
  const clock = new FakeClock();
  const random = new FakeRandom();
  const attempts: Attempt[] = [];
  const retries: number[] = [];
  const issue = (_identity: SpiffeId, signal: AbortSignal): Promise<WorkloadCertificate> =>
    new Promise((resolve, reject) => {
      attempts.push({
        atMs: clock.monotonicMs(),
        signal,
        sign: (lifeMs = 24 * hourMs) => {
          const [notBefore, notAfter] = [clock.now(), clock.now() + lifeMs];
          resolve({
            identity: id,
            chain: [`c${attempts.length}`],
            roots: ['r'],
            notBefore,
            notAfter,
            clientContext: context,
            serverContext: context,
          });
          return settled();
        },
        fail: (why) => {
          reject(new Error(why));
          return settled();
        },
      });
    });
  const entry = new CertificateEntry(id, 'real-time', {
    queue: new SigningQueue(),
    backoff: new Backoff({ initialMs: 1_000, maxMs: 150_000 }, { random }),
    clock,
    random,
    issue,
    onRenewed: () => {},
    onFailed: (_identity, _failure, retryInMs) => retries.push(retryInMs),
  });
  const attempt = async (): Promise<Attempt> => {
    await settled();
    const last = attempts.at(-1);
    if (last === undefined) throw new Error('no attempt');
    return last;
  };
  return { clock, entry, attempts, retries, attempt };
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: Error) => error.message,
  );
}

describe('CertificateEntry', () => {
  it('gives all who wait the first certificate', async () => {
    const { entry, attempt, attempts } = bed();
    const waiting = [entry.get(), entry.get()];
    expect(entry.status).to.equal('Initializing');
    await (await attempt()).sign();
    expect((await Promise.all(waiting)).map(({ chain }) => chain)).to.deep.equal([['c1'], ['c1']]);
    expect(entry.status).to.equal('Available');
    expect(attempts.length).to.equal(1);
  });

  it('renews at half life and serves the old one meanwhile (C1)', async () => {
    const { clock, entry, attempt, attempts } = bed();
    await (await attempt()).sign();
    clock.advance(12 * hourMs - 1);
    await settled();
    expect(attempts.length).to.equal(1);
    clock.advance(1);
    const second = await attempt();
    expect(attempts.length).to.equal(2);
    expect((await entry.get()).chain).to.deep.equal(['c1']);
    await second.sign();
    expect((await entry.get()).chain).to.deep.equal(['c2']);
    expect(clock.nextTimerMs).to.equal(12 * hourMs);
  });

  it('gives the failure at once when there never was a certificate, and triggers nothing (C2)', async () => {
    const { clock, entry, attempt, attempts } = bed();
    const first = reasonOf(entry.get());
    await (await attempt()).fail('closed for lunch');
    expect(await first).to.include('closed for lunch');
    expect(await reasonOf(entry.get())).to.include('closed for lunch');
    expect(entry.status).to.include('Unavailable: closed for lunch');
    expect(attempts.length).to.equal(1);
    expect(clock.pendingTimers).to.equal(1);
    clock.advance(1_000);
    await attempt();
    expect(attempts.length).to.equal(2);
    expect(await reasonOf(entry.get()), 'while the next attempt is under way').to.include('closed for lunch');
    await (await attempt()).sign();
    expect((await entry.get()).chain).to.deep.equal(['c2']);
  });

  it('refuses after its certificate ran out, and says both that and why renewing it fails', async () => {
    const { clock, entry, attempt, retries } = bed();
    await (await attempt()).sign();
    clock.advance(12 * hourMs);
    await (await attempt()).fail('closed for lunch');
    expect(entry.failing).to.equal(true);
    expect((await entry.get()).chain, 'before its end').to.deep.equal(['c1']);
    while (clock.now() < (entry.current?.notAfter ?? 0)) {
      clock.advance(retries.at(-1)!);
      await (await attempt()).fail('closed for lunch');
    }
    expect(await reasonOf(entry.get())).to.match(/ran out at 2026-01-02T00:00:00.000Z, and renewing it fails: closed for lunch/);
  });

  it('backs off 1 s, 2 s, 4 s … up to 150 s, and starts over after a success', async () => {
    const { clock, attempt, retries } = bed();
    for (let i = 0; i < 10; i++) {
      await (await attempt()).fail('no');
      clock.advance(retries.at(-1)!);
    }
    expect(retries).to.deep.equal([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000]);
    await (await attempt()).sign();
    clock.advance(12 * hourMs);
    await (await attempt()).fail('no');
    expect(retries.at(-1)).to.equal(1_000);
  });

  it('keeps serving through failed renewals until the certificate expires, and then gives the last error', async () => {
    const { clock, entry, attempt, attempts, retries } = bed();
    await (await attempt()).sign(10_000);
    clock.advance(5_000);
    await (await attempt()).fail('first');
    clock.advance(1_000);
    await (await attempt()).fail('second');
    expect((await entry.get()).chain).to.deep.equal(['c1']);
    expect(entry.status).to.equal('Available');
    clock.advance(2_000);
    await (await attempt()).fail('third');
    expect(retries, 'the last one is cut to the expiry').to.deep.equal([1_000, 2_000, 2_000]);
    clock.advance(2_000);
    expect(await reasonOf(entry.get())).to.include('third');
    expect(entry.status).to.include('Unavailable: third');
    await (await attempt()).sign();
    expect(attempts.length).to.equal(5);
    expect((await entry.get()).chain).to.deep.equal(['c5']);
  });

  it('refuses a certificate that has expired already', async () => {
    const { entry, attempt, retries } = bed();
    const waiting = reasonOf(entry.get());
    await (await attempt()).sign(0);
    expect(await waiting).to.include('expired certificate');
    expect(retries).to.deep.equal([1_000]);
  });

  it('asks anew when its timer is late, as after a suspended machine', async () => {
    const { clock, entry, attempt, attempts } = bed();
    await (await attempt()).sign(10_000);
    const now = clock.now.bind(clock);
    clock.now = () => now() + 60_000;
    const waiting = entry.get();
    expect(clock.pendingTimers).to.equal(0);
    await (await attempt()).sign();
    expect((await waiting).chain).to.deep.equal(['c2']);
    expect(attempts.length).to.equal(2);
  });

  it('is silent once forgotten: waiters fail, the attempt is aborted, no timer stays', async () => {
    const { clock, entry, attempt, attempts } = bed();
    const waiting = reasonOf(entry.get());
    const first = await attempt();
    entry.forget();
    expect(await waiting).to.include('no pod of this node');
    expect(first.signal.aborted).to.equal(true);
    await first.sign();
    expect(clock.pendingTimers).to.equal(0);
    expect(await reasonOf(entry.get())).to.include('no pod of this node');
    expect(attempts.length).to.equal(1);
  });

  for (const [what, prepare] of [
    ['a certificate', (attempt: Attempt) => attempt.sign()],
    ['a failure', (attempt: Attempt) => attempt.fail('no')],
  ] as const) {
    it(`leaves no timer when it is forgotten with ${what}`, async () => {
      const { clock, entry, attempt } = bed();
      await prepare(await attempt());
      expect(clock.pendingTimers).to.equal(1);
      entry.forget();
      expect(clock.pendingTimers).to.equal(0);
    });
  }
});
