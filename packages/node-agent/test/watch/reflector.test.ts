import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { WatchEvent } from '../../src/watch/kube-api.ts';
import { Reflector } from '../../src/watch/reflector.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** An API whose answers a test gives one by one. */
class ScriptedApi {
  readonly asked: URLSearchParams[] = [];
  readonly #lists: ((signal: AbortSignal) => Promise<unknown>)[] = [];
  readonly #watches: (readonly WatchEvent[] | 'open')[] = [];

  lists(answer: (signal: AbortSignal) => Promise<unknown>): void {
    this.#lists.push(answer);
  }

  watches(events: readonly WatchEvent[] | 'open'): void {
    this.#watches.push(events);
  }

  async get(path: string, signal: AbortSignal): Promise<unknown> {
    this.asked.push(new URL(path, 'http://api').searchParams);
    const answer = this.#lists.shift();
    if (answer === undefined) throw new Error('connection refused');
    return answer(signal);
  }

  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    this.asked.push(new URL(path, 'http://api').searchParams);
    const events = this.#watches.shift() ?? 'open';
    if (events !== 'open') return yield* events;
    await silence(signal);
  }
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

const list = (names: readonly string[], resourceVersion: string, more?: string) => async (): Promise<unknown> => ({
  items: names.map(named),
  metadata: { resourceVersion, continue: more },
});
const named = (name: string): unknown => ({ metadata: { name, resourceVersion: `${name}1` } });

describe('Reflector', () => {
  let api: ScriptedApi;
  let clock: FakeClock;
  let heard: string[];
  let stop: AbortController;
  let running: Promise<void>;

  beforeEach(() => {
    api = new ScriptedApi();
    clock = new FakeClock();
    heard = [];
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    expect(clock.pendingTimers).to.equal(0);
  });

  const nameOf = (object: unknown): string => (object as { metadata: { name: string } }).metadata.name;

  async function start(): Promise<void> {
    const reflector = new Reflector(
      { name: 'pods', path: '/api/v1/pods', fieldSelector: 'spec.nodeName=n1' },
      {
        api,
        clock,
        random: new FakeRandom(),
        logger: silentLogger,
        onList: (objects) => heard.push(`list ${objects.map(nameOf).join()}`),
        onUpsert: (object) => heard.push(`upsert ${nameOf(object)}`),
        onDelete: (object) => heard.push(`delete ${nameOf(object)}`),
        onLive: (live) => heard.push(live ? 'live' : 'stale'),
      },
    );
    running = reflector.run(stop.signal);
    await turn();
  }

  it('lists page by page, then watches from the list’s version', async () => {
    api.lists(list(['a'], '6', 'next'));
    api.lists(list(['b'], '7'));
    await start();
    expect(heard).to.deep.equal(['list a,b', 'live']);
    expect(api.asked.map((query) => query.get('continue'))).to.deep.equal([null, 'next', null]);
    expect(api.asked[2]?.get('resourceVersion')).to.equal('7');
    expect(api.asked.map((query) => query.get('fieldSelector'))).to.deep.equal(Array(3).fill('spec.nodeName=n1'));
  });

  it('tells of changes, and passes over bookmarks; a watch that ends at once is not asked for again without a pause', async () => {
    api.lists(list([], '1'));
    api.watches([
      { type: 'ADDED', object: named('a') },
      { type: 'BOOKMARK', object: named('mark') },
      { type: 'MODIFIED', object: named('a') },
      { type: 'DELETED', object: named('a') },
    ]);
    await start();
    expect(heard).to.deep.equal(['list ', 'live', 'upsert a', 'upsert a', 'delete a', 'stale']);
    expect(clock.nextTimerMs).to.equal(250);
  });

  it('lists again when the version it watched from is too old', async () => {
    api.lists(list(['a'], '1'));
    api.watches([{ type: 'ERROR', object: { code: 410, message: 'too old resource version' } }]);
    api.lists(list(['a', 'b'], '9'));
    await start();
    clock.advance(250);
    await turn();
    expect(heard).to.deep.equal(['list a', 'live', 'stale', 'list a,b', 'live']);
    expect(api.asked.at(-1)?.get('resourceVersion')).to.equal('9');
  });

  it('never pauses for longer than five seconds, and tries eight times in the first half minute', async () => {
    await start();
    let tries = 1;
    while (clock.monotonicMs() < 30_000) {
      expect(clock.nextTimerMs).to.be.at.most(5_000);
      clock.advance(clock.nextTimerMs ?? 0);
      await turn();
      tries++;
    }
    expect(tries).to.be.at.least(8);
  });

  it('gives up a list that is not answered, and a watch that is silent for longer than the server lets one live', async () => {
    api.lists(silence);
    api.lists(list(['a'], '1'));
    await start();
    clock.advance(15_000);
    await turn();
    clock.advance(250);
    await turn();
    expect(heard).to.deep.equal(['stale', 'list a', 'live']);
    clock.advance(330_000);
    await turn();
    expect(heard.at(-1)).to.equal('stale');
  });
});
