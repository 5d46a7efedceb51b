/**
 * Everything of one pod: its listeners in its network namespace and the path behind them, and its DNS proxy (l4-contract
 * section 1).
 * It starts whole or not at all, and ends as one.
 *
 *   serving ── drain ──▶ yielding ── 200 ms ──▶ draining (listeners closed) ── idle | deadline ──▶ gone
 *      └────────────────── destroy ───────────────────────────────────────▶ gone
 *
 * Y1  A listener that closes resets what waits in its queue. So for a while before, what is new is left to a successor that
 *     listens in this namespace too, and what has begun is accepted.
 */
import type { ListenOptions, ListeningSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { CaptureConfig } from '../config.ts';
import { PodListener } from './pod-listener.ts';
import type { Accepted, PodListenerOptions } from './pod-listener.ts';
import type { PodSpec, RunningPod } from './pods.ts';

/** What happens to accepted connections; made for one pod and owned by it. */
export interface PodPath extends AsyncDisposable {
  /** From an application, redirected to 15001. */
  recvOutbound(accepted: Accepted): void;
  /** From an application that asks in words, to 15080. */
  recvSocks(accepted: Accepted): void;
  /** To the application in plain text, redirected to 15006. */
  recvPlaintext(accepted: Accepted): void;
  /** From a peer's proxy, to 15008. */
  recvTunnel(accepted: Accepted): void;
}

/** The DNS proxy of a pod; made for one pod and owned by it. */
export interface PodNames extends Disposable {
  /** Leaves what is new to a successor, if there is one. */
  yield(): void;
  /** Resolves when what was asked is answered, and all is closed. */
  finish(): Promise<void>;
}

export type PodPathContext = {
  readonly spec: PodSpec<NetworkNamespace>;
  readonly drain: Drain;
  /** Whether connections to the application may carry the client's address. */
  readonly originalSource: CaptureConfig['originalSource'];
};

export type PodProxyOptions = {
  readonly spec: PodSpec<NetworkNamespace>;
  readonly capture: CaptureConfig;
  /** A pod that nothing is redirected in. @default false */
  readonly tunnelOnly?: boolean;
};

export type PodProxyDeps<Path extends PodPath> = {
  readonly listen: (options: ListenOptions) => ListeningSocket;
  readonly createPath: (context: PodPathContext) => Path;
  /** Absent: no DNS proxy. Throws when a port cannot be opened. */
  readonly openNames?: (spec: PodSpec<NetworkNamespace>) => PodNames;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Y1: longer than a handshake takes that had begun, milliseconds. */
const yieldMs = 200;

const outboundPort = 15_001;
const plaintextPort = 15_006;
const tunnelPort = 15_008;
/** Of the pod's own applications. */
const socksListener = { port: 15_080, ip: '127.0.0.1', tunnel: false } as const;

/** One served pod, open from the constructor on. */
export class PodProxy<Path extends PodPath> implements RunningPod {
  /** The path behind the listeners, for dumps. */
  readonly path: Path;
  readonly #drain: Drain;
  readonly #logger: Logger;
  readonly #listeners: readonly PodListener[];
  readonly #names: PodNames | undefined;
  readonly #clock: Clock;
  #cancelYield: Cancel | undefined;

  /** Throws MESH-CAPTURE-001 when a port cannot be opened; nothing is left open then. */
  constructor(options: PodProxyOptions, deps: PodProxyDeps<Path>) {
    const { spec, capture, tunnelOnly = false } = options;
    this.#drain = new Drain({ clock: deps.clock });
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    const captured: readonly Port[] = [
      { port: outboundPort, tunnel: false, onAccept: (accepted) => this.path.recvOutbound(accepted) },
      { port: plaintextPort, tunnel: false, onAccept: (accepted) => this.path.recvPlaintext(accepted) },
      ...(capture.socks ? [{ ...socksListener, onAccept: (accepted: Accepted) => this.path.recvSocks(accepted) }] : []),
    ];
    const tunnel: Port = { port: tunnelPort, tunnel: true, onAccept: (accepted) => this.path.recvTunnel(accepted) };
    const ports = tunnelOnly ? [tunnel] : capture.connections ? [...captured, tunnel] : [];
    this.#listeners = openAll(options, deps, ports);
    this.#names = openOrClose(this.#listeners, () => deps.openNames?.(spec));
    const transparent = this.#listeners.every((listener) => listener.transparent);
    if (!transparent && capture.originalSource === 'best-effort') {
      deps.logger.warn('the application will see the proxy’s address, since IP_TRANSPARENT is not allowed', { uid: spec.uid });
    }
    this.path = deps.createPath({ spec, drain: this.#drain, originalSource: transparent ? capture.originalSource : 'off' });
  }

  /** Ports that take connections now, and whether names are answered. */
  get listening(): { readonly ports: readonly number[]; readonly dns: boolean } {
    const ports = this.#listeners.map(({ port }) => port).filter((port) => port !== undefined);
    return { ports, dns: this.#names !== undefined && ports.length > 0 };
  }

  async drain(deadlineMs: number): Promise<{ readonly cut: readonly string[] }> {
    if (this.#drain.time === undefined) this.#yield(deadlineMs);
    this.#drain.begin(deadlineMs);
    return this.#drain.done;
  }

  destroy(): void {
    this.#closeListeners();
    this.#names?.[Symbol.dispose]();
    this.#drain.force();
    void this.#endPath();
  }

  /** Y1. */
  #yield(deadlineMs: number): void {
    const release = this.#drain.hold('listening sockets');
    for (const port of [...this.#listeners, this.#names]) port?.yield();
    this.#cancelYield = this.#clock.after(Math.min(yieldMs, deadlineMs / 2), () => {
      this.#closeListeners();
      void (this.#names?.finish() ?? Promise.resolve()).finally(release);
    });
  }

  async #endPath(): Promise<void> {
    try {
      await this.path[Symbol.asyncDispose]();
    } catch (error) {
      this.#logger.error('a pod’s path did not end cleanly', { error: MeshError.from(error, 'MESH-INTERNAL-001').message });
    }
  }

  #closeListeners(): void {
    this.#cancelYield?.();
    for (const listener of this.#listeners) listener.close();
  }
}

type Port = {
  readonly port: number;
  /** @default every address */
  readonly ip?: string;
  readonly tunnel: boolean;
  readonly onAccept: (accepted: Accepted) => void;
};

function openAll(
  { spec, capture }: PodProxyOptions,
  { listen, logger }: Pick<PodProxyDeps<PodPath>, 'listen' | 'logger'>,
  ports: readonly Port[],
): readonly PodListener[] {
  const open: PodListener[] = [];
  return openOrClose(open, () => {
    for (const port of ports)
      open.push(new PodListener(listenOptions(spec, capture, port), { listen, onAccept: port.onAccept, logger }));
    return open;
  });
}

/** What `more` opens; when it fails, what is open already is closed. */
function openOrClose<T>(open: readonly PodListener[], more: () => T): T {
  try {
    return more();
  } catch (error) {
    for (const listener of open) listener.close();
    throw error;
  }
}

function listenOptions(spec: PodSpec<NetworkNamespace>, capture: CaptureConfig, { port, ip, tunnel }: Port): PodListenerOptions {
  return {
    namespace: spec.namespace,
    ip: ip ?? (capture.ipv6 ? '::' : '0.0.0.0'),
    port,
    ...(capture.packetMark === undefined ? {} : { mark: capture.packetMark }),
    transparent: capture.originalSource,
    reusePort: capture.reusePort,
    // A tunnel has PINGs of its own instead.
    keepAlive: tunnel ? false : capture.keepAlive,
    allowHalfOpen: !tunnel,
  };
}
