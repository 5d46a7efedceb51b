import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { silentLogger } from '../../src/observe/log.ts';
import { identity } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { CertificateStore } from '../../src/certificates/certificate-store.ts';
import type { CertificateStoreOptions } from '../../src/certificates/certificate-store.ts';

const client = identity('bank', 'client');
const server = identity('bank', 'server');
const never = new AbortController().signal;

type Signed = { readonly identity: SpiffeId; readonly validitySeconds: number; readonly csrPem: string };

describe('CertificateStore', () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await TestAuthority.create();
  });

  /** A store over an authority that signs at once, or never while `held`. */
  function open(options: CertificateStoreOptions = {}): {
    store: CertificateStore;
    clock: FakeClock;
    signed: Signed[];
    state: { held: boolean };
  } {
    const clock = new FakeClock(Date.now());
    const signed: Signed[] = [];
    const state = { held: false };
    const store = new CertificateStore(options, {
      authority: {
        sign: async (csrPem, id, validitySeconds) => {
          signed.push({ identity: id, validitySeconds, csrPem });
          if (state.held) await new Promise(() => {});
          return {
            chain: await authority.sign(csrPem, {
              uris: [id],
              notBefore: clock.now(),
              notAfter: clock.now() + validitySeconds * 1000,
            }),
          };
        },
      },
      clock,
      random: new FakeRandom(),
      logger: silentLogger,
    });
    return { store, clock, signed, state };
  }

  it('gets one certificate for one identity, with a fresh key in a context', async () => {
    const { store, signed } = open();
    const [first, second] = await Promise.all([store.get(client, never), store.get(client, never)]);
    expect(first).to.equal(second);
    expect(first.identity).to.equal(client);
    expect(first.roots).to.deep.equal([`${authority.rootPem.trim()}\n`]);
    expect(signed.map(({ identity: id, validitySeconds }) => [id, validitySeconds])).to.deep.equal([[client, 86_400]]);
  });

  it('uses a new key for each certificate', async () => {
    const { store, clock, signed } = open({ validitySeconds: 3_600 });
    const first = await store.get(client, never);
    clock.advance(1_800_000);
    while ((await store.get(client, never)) === first) await new Promise((resolve) => setImmediate(resolve));
    expect(signed.length).to.equal(2);
    expect(signed[0]?.csrPem).to.not.equal(signed[1]?.csrPem);
  });

  it('prefetches once, and a connection then finds it', async () => {
    const { store, signed } = open();
    store.prefetch(client);
    store.prefetch(client);
    await store.get(client, never);
    store.prefetch(client);
    expect(signed.length).to.equal(1);
  });

  it('lets one caller give up while others wait', async () => {
    const { store } = open();
    const abort = new AbortController();
    const [gone, kept] = [store.get(client, abort.signal), store.get(client, never)];
    abort.abort(new Error('left'));
    expect(await gone.catch((error: Error) => error.message)).to.equal('left');
    expect((await kept).identity).to.equal(client);
  });

  it('gives an authority that hangs 10 s', async () => {
    const { store, clock, state } = open();
    state.held = true;
    const waiting = store.get(client, never).catch((error: Error) => error.message);
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    expect(await waiting).to.include('within 10000 ms');
    expect(store.list().map((entry) => entry.state))
      .to.have.nested.property('[0]')
      .that.includes('Unavailable: no answer');
  });

  it('forgets: the next request asks anew', async () => {
    const { store, signed, clock } = open();
    await store.get(client, never);
    store.forget(client);
    store.forget(client);
    expect(store.list()).to.deep.equal([]);
    expect(clock.pendingTimers).to.equal(0);
    await store.get(client, never);
    expect(signed.length).to.equal(2);
  });

  it('lists what a dump shows, and never a key', async () => {
    const { store, state } = open();
    await store.get(client, never);
    state.held = true;
    store.prefetch(server);
    const [first, second] = store.list();
    expect(first).to.include({ identity: client, state: 'Available' });
    expect(first?.chain.length).to.equal(1);
    expect(second).to.deep.equal({ identity: server, state: 'Initializing', chain: [], roots: [] });
    expect(JSON.stringify(store.list())).to.not.include('PRIVATE');
    store[Symbol.dispose]();
  });

  it('tells when the first certificate runs out, and how many identities fail', async () => {
    const { store, clock, state } = open({ validitySeconds: 3_600 });
    expect(store.health).to.deep.equal({ failing: 0 });
    const { notAfter } = await store.get(client, never);
    clock.advance(60_000);
    await store.get(server, never);
    expect(store.health).to.deep.equal({ failing: 0, firstExpiryMs: notAfter });
    state.held = true;
    clock.advance(1_800_000);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    while (store.health.failing === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(store.health.firstExpiryMs).to.equal(notAfter);
    store[Symbol.dispose]();
  });

  it('holds a bounded number of identities', async () => {
    const { store } = open({ maxIdentities: 1 });
    await store.get(client, never);
    store.prefetch(server);
    expect(store.list().length).to.equal(1);
    expect(await store.get(server, never).catch((error: Error) => error.message)).to.include('1 identities are held already');
  });

  it('leaves no timer when it is disposed', async () => {
    const { store, clock, state, signed } = open();
    await store.get(client, never);
    state.held = true;
    const waiting = store.get(server, never).catch((error: Error) => error.message);
    await new Promise((resolve) => setImmediate(resolve));
    store[Symbol.dispose]();
    expect(await waiting).to.include('no pod of this node');
    while (signed.length < 2) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.pendingTimers).to.equal(0);
  });
});
