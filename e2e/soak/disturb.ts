/**
 * What is done to a mesh under load, drawn from a seed. Each says which loads may feel it, and until when:
 *
 *   ztunnel        SIGTERM; new connections of its pods wait for the next one, and what is open is cut at the drain's deadline: all
 *   waypoint       one of two is taken away and comes back: only connections that last longer than its drain
 *   pod            a server is made anew, in order: only connections that last longer than its grace
 *   policy         a rule about somebody else changes: nobody
 *   control plane  SIGKILL: nobody
 *   certificates   renew by themselves all the time: nobody
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Draw } from '@clearmesh/shared/testing/draw';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import type { Patience } from '@clearmesh/shared/testing/ask-until';
import { runIn } from '../harness/command.ts';
import type { RunningMesh } from '../harness/mesh.ts';
import type { Disturbance } from './excuse.ts';
import { placesOf, processAt } from './processes.ts';
import type { Place } from './processes.ts';

const throughWaypoint = ['bulk', 'idle'];
const withoutWaypoint = ['direct', 'idle-direct'];
const everybody = [...throughWaypoint, ...withoutWaypoint, 'http-fresh', 'http-kept', 'grpc'];
/** Until a proxy that says it is ready has been heard of by everybody, and those who wait try again. */
const settleMs = 2_000;
/** CONNECTION_TERMINATION_DEADLINE of both proxies, by default. */
const proxyDrainMs = 5_000;
/** Of domain-server.ts. */
const serverDrainMs = 3_000;

type Deed = Pick<Disturbance, 'name' | 'drainMs' | 'excuses'> & { readonly run: (signal: AbortSignal) => Promise<void> };

const servers = ['domain/server-0', 'domain/server-1', 'domain/server-2', 'plain/direct-0', 'plain/direct-1'] as const;
const weights = { ztunnel: 2, waypoint: 2, pod: 3, policy: 3, 'control plane': 1 };

export class Disturber {
  readonly #mesh: RunningMesh;
  readonly #draw: Draw;
  #done: readonly Disturbance[] = [];
  #edits = 0;

  constructor(mesh: RunningMesh, draw: Draw) {
    this.#mesh = mesh;
    this.#draw = draw;
  }

  get disturbances(): readonly Disturbance[] {
    return this.#done;
  }

  /** One at a time, with pauses, until the signal; the last one ends in order. */
  async run(until: AbortSignal, signal: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const deed = this.#next();
      const { run, ...facts } = deed;
      const begun = { ...facts, fromMs: Date.now(), toMs: undefined };
      const before = this.#done;
      this.#done = [...before, begun];
      await run(signal);
      await pause(settleMs, undefined, { signal });
      this.#done = [...before, { ...begun, toMs: Date.now() }];
      await pause(this.#draw.int(1_000, 6_000), undefined, { signal: AbortSignal.any([until, signal]) }).catch(() => {});
    }
  }

  #next(): Deed {
    switch (this.#draw.weighted(weights)) {
      case 'ztunnel': {
        const name = `ztunnel ${this.#draw.pick(['node-a', 'node-b'])}`;
        return {
          name,
          drainMs: proxyDrainMs,
          excuses: everybody,
          run: (signal) => this.#restart(name, 'SIGTERM', 15_021, signal),
        };
      }
      case 'waypoint': {
        const run = (signal: AbortSignal): Promise<void> => this.#replaceWaypoint(signal);
        return { name: 'waypoint gate-1', drainMs: proxyDrainMs, excuses: throughWaypoint, run };
      }
      case 'pod': {
        const pod = this.#draw.pick(servers);
        const excuses = pod.startsWith('domain') ? throughWaypoint : withoutWaypoint;
        return { name: `pod ${pod}`, drainMs: serverDrainMs, excuses, run: (signal) => this.#replacePod(pod, signal) };
      }
      case 'policy':
        return { name: 'policy', drainMs: 0, excuses: [], run: () => this.#changePolicy() };
      case 'control plane': {
        const run = (signal: AbortSignal): Promise<void> => this.#restart('control-plane', 'SIGKILL', 15_014, signal);
        return { name: 'control plane', drainMs: 0, excuses: [], run };
      }
    }
  }

  #changePolicy(): Promise<void> {
    const generation = ++this.#edits;
    return this.#edit('policy.yaml', (text) => text.replace(/stranger-\d+/, `stranger-${generation}`));
  }

  async #edit(file: string, change: (text: string) => string): Promise<void> {
    const path = join(this.#mesh.directory, file);
    await writeFile(path, change(await readFile(path, 'utf8')));
  }

  async #restart(name: string, how: NodeJS.Signals, port: number, signal: AbortSignal): Promise<void> {
    const place = placesOf(this.#mesh).find((candidate) => candidate.name === name);
    const pid = place && processAt(place);
    if (place === undefined || pid === undefined) throw new Error(`${name} does not run`);
    process.kill(pid, how);
    await eventually(`${name} is back`, async () => processAt(place) !== pid && (await isReady(place, port)), patience(signal));
  }

  async #replacePod(pod: string, signal: AbortSignal): Promise<void> {
    const [, name = ''] = pod.split('/');
    const generation = ++this.#edits;
    await this.#untilSaid(pod, 'listening', signal, () =>
      this.#edit(`${name}.yaml`, (text) => text.replace(/(name: GENERATION, value: )'\d+'/, `$1'${generation}'`)),
    );
  }

  async #replaceWaypoint(signal: AbortSignal): Promise<void> {
    const scale = (from: number, to: number) => (): Promise<void> =>
      this.#edit('gate.yaml', (text) => text.replace(`replicas: '${from}'`, `replicas: '${to}'`));
    await this.#untilSaid('domain/gate-1', 'shutdown complete', signal, scale(2, 1));
    await this.#untilSaid('domain/gate-1', '"message":"serving"', signal, scale(1, 2));
  }

  /** Does something, and waits for a line of that pod which comes after it. */
  async #untilSaid(pod: string, words: string, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    let said = false;
    const unwatch = this.#mesh.watch(({ process, line }) => (said ||= process === pod && line.includes(words)));
    try {
      await act();
      await eventually(`${pod} says ${words}`, () => said, patience(signal));
    } finally {
      unwatch();
    }
  }
}

function patience(signal: AbortSignal): Patience {
  return { limitMs: 60_000, pauseMs: 100, signal };
}

async function isReady({ namespacePath }: Place, port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/healthz/ready`;
  return (await runIn(namespacePath, ['curl', '-sf', '-o', '/dev/null', '--max-time', '2', url])).code === 0;
}
