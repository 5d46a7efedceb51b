/**
 * One listening port of a pod. The socket is made in the pod's namespace and adopted by Node; what it accepts
 * comes paused, so that nothing is read before the path decided where the bytes go.
 */
import net from 'node:net';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { ListenOptions, ListeningSocket } from '@clearmesh/linux/listen-socket';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** A connection as it was accepted, with both addresses normalised. */
export type Accepted = { readonly socket: net.Socket; readonly remote: SocketAddress; readonly local: SocketAddress };

export type PodListenerOptions = ListenOptions & {
  /** Whether an application's end leaves its other direction open; a tunnel is over when its peer ends it. */
  readonly allowHalfOpen: boolean;
};

export type PodListenerDeps = {
  readonly listen: (options: ListenOptions) => ListeningSocket;
  readonly onAccept: (accepted: Accepted) => void;
  readonly logger: Logger;
};

/** SOMAXCONN of the contract's listeners (l4-contract section 1). */
const backlog = 128;

/** A listener that is open from the constructor on. */
export class PodListener {
  /** Whether sockets here may take another's source address. */
  readonly transparent: boolean;
  readonly #server: net.Server;
  readonly #yieldPort: () => boolean;

  /** Throws MESH-CAPTURE-001 when the port cannot be opened. */
  constructor({ allowHalfOpen, ...options }: PodListenerOptions, deps: PodListenerDeps) {
    const { fd, transparent, yieldPort } = open(options, deps);
    this.transparent = transparent;
    this.#yieldPort = yieldPort;
    this.#server = new net.Server({ allowHalfOpen, pauseOnConnect: true });
    this.#server.on('connection', (socket: net.Socket) => recvConnection(socket, deps));
    // EMFILE and its like: the connection is refused by the kernel's queue, the listener stays.
    this.#server.on('error', (error) => deps.logger.error('accept failed', { port: options.port, error: error.message }));
    this.#server.listen({ fd, backlog });
  }

  /** The port it listens on, the kernel's choice when 0 was asked for; `undefined` once closed. */
  get port(): number | undefined {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? undefined : address.port;
  }

  /** Accepts what was sent here already, and leaves what is new to a successor in this namespace, if there is one. */
  yield(): void {
    if (this.#server.listening) this.#yieldPort();
  }

  /** Stops accepting; open connections go on. */
  close(): void {
    this.#server.close();
  }
}

function open(options: ListenOptions, deps: PodListenerDeps): ListeningSocket {
  try {
    return deps.listen({ ...options, backlog });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new MeshError('MESH-CAPTURE-001', {
      message: `cannot listen on ${options.ip} port ${options.port}: ${reason}`,
      cause: thrown,
    });
  }
}

function recvConnection(socket: net.Socket, deps: PodListenerDeps): void {
  // Before any listener of the path is in place a reset must not become an uncaught error.
  socket.on('error', (error) => deps.logger.debug('accepted connection was lost', { error: error.message }));
  const remote = endpoint(socket.remoteAddress, socket.remotePort);
  const local = endpoint(socket.localAddress, socket.localPort);
  // Both are unknown when the peer was gone before the accept.
  if (remote === undefined || local === undefined) return void socket.destroy();
  deps.onAccept({ socket, remote, local });
}

function endpoint(address: string | undefined, port: number | undefined): SocketAddress | undefined {
  const ip = address === undefined ? undefined : parseIp(address);
  return ip === undefined || port === undefined ? undefined : { ip, port };
}
