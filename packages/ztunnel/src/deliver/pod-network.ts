/**
 * New connections as a pod would make them: from its network namespace, and towards the application in the name of
 * the client, so that the application sees the address it would see without a mesh (l4-contract section 1).
 */
import type net from 'node:net';
import type { ConnectOptions } from '@clearmesh/linux/connect-tcp';
import type { KeepAlive } from '@clearmesh/linux/socket-options';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** Opens TCP connections within one pod. */
export interface PodNetwork {
  /** Rejects with MESH-DELIVER-001 when nobody answers in time, or with the signal's reason. */
  connect(target: SocketAddress, options: PodConnectOptions, signal: AbortSignal): Promise<net.Socket>;
}

export type PodConnectOptions = {
  /** Connect in the name of this address. */
  readonly source?: IpAddress;
  /** Whether the peer's end leaves the other direction open; a tunnel is over when its peer ends it. @default true */
  readonly allowHalfOpen?: boolean;
};

export type PodNetworkOptions = {
  /** Absent: the process's own. */
  readonly namespace?: NetworkNamespace;
  /** SO_MARK, by which the capture rules let the proxy's own packets pass. */
  readonly mark?: number;
  /** `required` fails a connection that cannot keep its source; `off` never tries. */
  readonly originalSource: 'required' | 'best-effort' | 'off';
  /** @default 180 s, 180 s, 9 probes */
  readonly keepAlive?: KeepAlive;
  /** Milliseconds. @default 10 000 */
  readonly connectTimeoutMs?: number;
};

export type PodNetworkDeps = {
  readonly connectTcp: (request: ConnectOptions, signal: AbortSignal) => Promise<net.Socket>;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** The network of one pod. */
export function podNetwork(options: PodNetworkOptions, deps: PodNetworkDeps): PodNetwork {
  return {
    connect: (target, { source, allowHalfOpen = true }, signal) =>
      withinDeadline(options.connectTimeoutMs ?? 10_000, target, deps.clock, signal, (limited, fail) =>
        deps.connectTcp(
          {
            target,
            allowHalfOpen,
            ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
            ...(options.mark === undefined ? {} : { mark: options.mark }),
            ...(options.keepAlive === undefined ? {} : { keepAlive: options.keepAlive }),
            ...(source === undefined || options.originalSource === 'off' ? {} : { source: { ip: source, transparent: true } }),
            onUnspoofed: (cause) => {
              const fields = { target: formatSocketAddress(target), source, error: cause.message };
              if (options.originalSource !== 'required')
                return deps.logger.warn('the application sees the proxy’s address, not its client’s', fields);
              fail(unreachableTarget(target, `cannot keep the source address ${source}: ${cause.message}`, cause));
            },
          },
          limited,
        ),
      ),
  };
}

async function withinDeadline(
  timeoutMs: number,
  target: SocketAddress,
  clock: Clock,
  signal: AbortSignal,
  connect: (limited: AbortSignal, fail: (error: MeshError) => void) => Promise<net.Socket>,
): Promise<net.Socket> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const onAbort = (): void => limit.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const cancel = clock.after(timeoutMs, () => limit.abort(unreachableTarget(target, `no answer within ${timeoutMs} ms`)));
  try {
    const socket = await connect(limit.signal, (error) => limit.abort(error));
    // A connection that must keep its source and cannot may still have been made.
    if (limit.signal.aborted) socket.destroy();
    limit.signal.throwIfAborted();
    return socket;
  } catch (thrown) {
    if (limit.signal.aborted) throw limit.signal.reason;
    throw unreachableTarget(target, thrown instanceof Error ? thrown.message : String(thrown), thrown);
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

function unreachableTarget(target: SocketAddress, reason: string, cause?: unknown): MeshError {
  return new MeshError('MESH-DELIVER-001', { message: `connection to ${formatSocketAddress(target)} failed: ${reason}`, cause });
}
