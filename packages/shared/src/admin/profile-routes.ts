/**
 * What a running process spends its time and memory on, for its operator (l4-contract section 11.3):
 *
 *   GET /debug/pprof/profile?seconds=10&frequency=100   where CPU time goes: a .cpuprofile
 *   GET /debug/pprof/heap?seconds=10                    what is allocated meanwhile and still alive: a .heapprofile
 *
 * Both are what Chrome's developer tools and editors open. A dump of the whole heap is not offered: it would hold every secret of
 * the process, and stop all connections while it is made.
 *
 * P1  One profile at a time, for at most five minutes; without one this costs nothing.
 */
import type { Session } from 'node:inspector/promises';
import { delay } from '../lifecycle/clock.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { HttpAnswer, HttpRequest, HttpRoutes } from './http-endpoint.ts';

type Range = { readonly min: number; readonly max: number; readonly fallback: number };

const seconds: Range = { min: 1, max: 300, fallback: 10 };
/** Samples a second. */
const frequency: Range = { min: 1, max: 1_000, fallback: 100 };
/** Bytes between two samples of the heap: V8's default, which costs next to nothing. */
const heapInterval = 32 * 1_024;

export type ProfileDeps = { readonly clock: Clock };

export function profileRoutes(deps: ProfileDeps): HttpRoutes {
  const profiler = new Profiler(deps);
  return {
    '/debug/pprof/profile': (request) => profiler.answer(request, 'cpuprofile'),
    '/debug/pprof/heap': (request) => profiler.answer(request, 'heapprofile'),
  };
}

class Profiler {
  readonly #clock: Clock;
  #busy = false;

  constructor({ clock }: ProfileDeps) {
    this.#clock = clock;
  }

  async answer({ method, url }: HttpRequest, kind: 'cpuprofile' | 'heapprofile'): Promise<HttpAnswer> {
    if (method !== 'GET') return { status: 405, headers: { allow: 'GET' }, body: '' };
    const length = numberOf(url, 'seconds', seconds);
    const rate = numberOf(url, 'frequency', frequency);
    if (length === undefined || rate === undefined)
      return { status: 400, body: 'seconds is a whole number from 1 to 300, frequency one from 1 to 1000\n' };
    // P1.
    if (this.#busy) return { status: 503, body: 'another profile is being taken\n' };
    this.#busy = true;
    try {
      const body = await this.#within((session) =>
        kind === 'cpuprofile' ? this.#cpu(session, length * 1_000, rate) : this.#heap(session, length * 1_000),
      );
      const headers = { 'content-type': 'application/json', 'content-disposition': `attachment; filename="profile.${kind}"` };
      return { status: 200, headers, body };
    } finally {
      this.#busy = false;
    }
  }

  async #within(take: (session: Session) => Promise<object>): Promise<string> {
    const inspector = await import('node:inspector/promises');
    const session = new inspector.Session();
    session.connect();
    try {
      return JSON.stringify(await take(session));
    } finally {
      session.disconnect();
    }
  }

  async #cpu(session: Session, ms: number, rate: number): Promise<object> {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: Math.round(1_000_000 / rate) });
    await session.post('Profiler.start');
    await this.#wait(ms);
    return (await session.post('Profiler.stop')).profile;
  }

  async #heap(session: Session, ms: number): Promise<object> {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling', { samplingInterval: heapInterval });
    await this.#wait(ms);
    return (await session.post('HeapProfiler.stopSampling')).profile;
  }

  #wait(ms: number): Promise<void> {
    return delay(this.#clock, ms, new AbortController().signal);
  }
}

function numberOf(url: URL, name: string, { min, max, fallback }: Range): number | undefined {
  const text = url.searchParams.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
