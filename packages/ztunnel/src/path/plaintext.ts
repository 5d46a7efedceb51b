/**
 * A connection that reached the pod without a tunnel, captured on 15006 (l4-contract section 8.2). Policy decides it
 * like any other, without an identity: STRICT is a DENY policy that matches its absence.
 */
import type net from 'node:net';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Permit } from '../authorise/permit.ts';
import type { Accepted } from '../capture/pod-listener.ts';
import { connectToApplication } from '../deliver/application.ts';
import type { PodNetwork } from '../deliver/pod-network.ts';
import { closeStream } from '@clearmesh/shared/net/close-stream';
import { relay } from '@clearmesh/shared/net/relay';
import type { OwnPorts } from '../resolve/illegal-ports.ts';
import { resolvePlaintext } from '../resolve/inbound.ts';
import type { InboundTarget } from '../resolve/inbound.ts';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import { admit } from './admission.ts';
import type { AdmissionDeps } from './admission.ts';
import type { Connections, OpenConnection } from './connections.ts';
import { endOfDenial, endOfFailure, endOfRelay, openReport } from './connection-report.ts';
import type { ConnectionReport, ReportDeps } from './connection-report.ts';
import { recordEarlyFailure } from './early-failures.ts';
import { guardedWorkload } from './own-workload.ts';
import type { WorkloadSource } from './own-workload.ts';
import { peerWorkload } from './peer-workload.ts';
import { refusalOf } from './refusal.ts';

export type PlaintextOptions = OwnPorts & {
  readonly pod: PodName;
  /** The proxy's own network; "" where the mesh has one only. */
  readonly network: string;
  /** Clients learn that a connection was refused, failed or was reset by a reset of theirs. @default false */
  readonly resets?: boolean;
};

export type PlaintextDeps = ReportDeps &
  AdmissionDeps & {
    readonly snapshots: WorkloadSource;
    readonly connections: Connections;
    readonly network: PodNetwork;
    /** SO_ORIGINAL_DST; `undefined` when the connection was not redirected. */
    readonly originalDestination: (socket: net.Socket) => SocketAddress | undefined;
  };

type Attempt = {
  readonly socket: net.Socket;
  readonly remote: SocketAddress;
  readonly connection: OpenConnection;
  readonly startedMs: number;
  readonly workload: Workload;
  readonly target: InboundTarget;
};

/** Carries the plaintext connections of one pod. */
export class PlaintextPath {
  readonly #options: PlaintextOptions;
  readonly #deps: PlaintextDeps;

  constructor(options: PlaintextOptions, deps: PlaintextDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Takes a connection from its accept to its end; never rejects. */
  async carry({ socket, remote, local }: Accepted): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    using connection = this.#deps.connections.open('inbound', remote);
    let destination = local;
    try {
      destination = this.#deps.originalDestination(socket) ?? local;
      const workload = await guardedWorkload(this.#deps.snapshots, this.#options.pod, connection.signal);
      const target = resolvePlaintext(destination, workload, this.#deps.snapshots.current, this.#options);
      if (target.kind === 'rejected') throw refusalOf(target);
      await this.#admit({ socket, remote, connection, startedMs, workload, target });
    } catch (thrown) {
      recordEarlyFailure({ direction: 'inbound', source: remote, destination, thrown }, this.#deps);
    } finally {
      closeStream(socket, this.#options.resets === true ? 'reset' : 'in-order');
    }
  }

  async #admit(attempt: Attempt): Promise<void> {
    const { remote, connection, workload, target } = attempt;
    const report = this.#report(attempt);
    const facts = { sourceIp: remote.ip, destination: target.address, workload };
    const admitted = admit(facts, connection, this.#deps);
    if (admitted.kind === 'denied') return report.complete(endOfDenial(admitted));
    try {
      await this.#copy(attempt, admitted.permit, report);
    } catch (thrown) {
      report.complete(endOfFailure('CONNECT', thrown, connection.signal));
    } finally {
      admitted.release();
    }
  }

  async #copy({ socket, connection }: Attempt, permit: Permit, report: ConnectionReport): Promise<void> {
    const application = await connectToApplication(permit, { localhost: false }, this.#deps.network, connection.signal);
    connection.carries(socket, application);
    const { resets = false } = this.#options;
    const end = await relay(socket, application, this.#deps, connection.signal, { resets });
    report.complete(endOfRelay(end, undefined));
  }

  #report({ socket, remote, connection, startedMs, workload, target }: Attempt): ConnectionReport {
    connection.joined({ originalDst: null, actualDst: formatSocketAddress(target.address), protocol: 'TCP' });
    const source = peerWorkload(this.#deps.snapshots.current, this.#options.network, remote.ip, {});
    return openReport(
      {
        direction: 'inbound',
        source: { address: remote, workload: source },
        destination: { address: target.address, workload, service: target.service },
      },
      startedMs,
      () => ({ received: socket.bytesRead, sent: socket.bytesWritten }),
      this.#deps,
    );
  }
}
