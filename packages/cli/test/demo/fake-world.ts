/** A world for steps that answers by a script; what a test does not expect fails it. */
import type { WireReport as TapReport } from '@clearmesh/lab/wiretap/summary';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import type { Answer, World } from '../../src/demo/world.ts';
import { LogLines } from '../../src/up/log-lines.ts';
import type { Sandbox } from '../../src/up/pod-sandbox.ts';

export type Script = {
  /** Answers by `METHOD path`. */
  readonly answers: Readonly<Record<string, Answer>>;
  /** Lines that every log gets on each call. */
  readonly lines: readonly object[];
  readonly heard?: Partial<TapReport>;
};

const quiet: TapReport = {
  packets: 9,
  bytes: 900,
  plaintextBytes: 0,
  tlsStreams: [],
  plaintextSamples: [],
  nonTcp: 0,
  incomplete: 0,
  secretsSeen: [],
};

const unexpected = (): never => {
  throw new Error('the step must not do this');
};

/** A world that answers by a script; `overrides` replace single parts. */
export function fakeWorld({ answers, lines, heard = {} }: Script, overrides: Partial<World> = {}): World {
  const log = new LogLines();
  return {
    clock: new FakeClock(),
    pod: (key) =>
      ({ place: { ip: `ip of ${key}` }, spec: { key, name: key.split('/')[1], nodeName: 'node-b' } }) as unknown as Sandbox,
    ask: (_key, method, path) => {
      for (const line of lines) log.recvLine(JSON.stringify(line));
      return Promise.resolve(answers[`${method} ${path}`] ?? unexpected());
    },
    edit: unexpected,
    write: unexpected,
    read: unexpected,
    admin: unexpected,
    status: unexpected,
    trace: unexpected,
    until: unexpected,
    tap: unexpected,
    listen: unexpected,
    known: unexpected,
    heard: () => Promise.resolve({ ...quiet, ...heard }),
    proxyLog: () => log,
    podLog: () => log,
    ...overrides,
  };
}
