/** A handover server on a fake clock, with the proxies that dial it; everything is closed on dispose. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import type { EnrolledPod } from '../../src/handover/enrolled-pods.ts';
import { HandoverServer } from '../../src/handover/handover-server.ts';
import type { HandoverOptions } from '../../src/handover/handover-server.ts';
import { FakeProxy } from './fake-proxy.ts';

export const soon = (): AbortSignal => AbortSignal.timeout(5000);
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** The pod's uid in a packet, or the packet itself when it names none. */
export function uidOf(hex: string): string {
  const [uid = hex] = /uid-[a-z0-9]+/.exec(Buffer.from(hex, 'hex').toString('latin1')) ?? [];
  return uid;
}

export class HandoverBed implements AsyncDisposable {
  readonly clock: FakeClock = new FakeClock();
  readonly own: NetworkNamespace = NetworkNamespace.current();
  /** `uid outcome` of every Add. */
  readonly outcomes: string[] = [];
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'zds-'));
  readonly #open: AsyncDisposable[] = [];

  start(options: Partial<HandoverOptions> = {}, how: 'listen' | 'hold' = 'listen'): HandoverServer {
    const onOutcome = (uid: string, { kind }: { kind: string }): void => void this.outcomes.push(`${uid} ${kind}`);
    const path = join(this.#directory, 'z.sock');
    const server = HandoverServer[how]({ path, ...options }, { clock: this.clock, logger: silentLogger, onOutcome });
    this.#open.push(server);
    return server;
  }

  async dial(hello?: string): Promise<FakeProxy> {
    const proxy = await FakeProxy.dial(join(this.#directory, 'z.sock'), hello);
    this.#open.push(proxy);
    return proxy;
  }

  /** A proxy with its snapshot taken. */
  async connected(server: HandoverServer): Promise<FakeProxy> {
    const before = server.proxies;
    const proxy = await this.dial();
    await proxy.takeSnapshot();
    await server.proxyReady(soon());
    while (server.proxies === before) await turn();
    return proxy;
  }

  pod(name: string): EnrolledPod {
    return { uid: `uid-${name}`, name, namespace: 'bank', serviceAccount: `${name}-sa`, netns: this.own };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open.splice(0).toReversed()) await each[Symbol.asyncDispose]();
    this.own[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true });
  }
}
