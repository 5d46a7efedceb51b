/**
 * One replica of the ledger, over HTTP/1.1 and HTTP/2, behind a proxy that speaks HBONE as its node's would. Both do what
 * the plan of the present run says.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { ServerHttp2Session } from 'node:http2';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { relay } from '@clearmesh/shared/net/relay';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { ip } from '@clearmesh/shared/testing/builders';
import type { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { dialTcp } from '../../src/forward/tcp-dial.ts';
import type { TunnelFault } from './fault-kinds.ts';
import type { Arrival, Journal, LedgerAnswer, Told } from './journal.ts';
import type { RunPlan } from './plan.ts';
import { Http1Wire, Http2Wire } from './wire.ts';
import type { Http2Line, Wire } from './wire.ts';

export type ReplicaOptions = { readonly number: number; readonly address: string; readonly identity: SpiffeId };

type Present = { readonly plan: RunPlan; readonly journal: Journal };

export class LedgerReplica implements AsyncDisposable {
  readonly number: number;
  readonly address: string;
  /** Requests of a run that is over. */
  strays = 0;
  readonly #options: ReplicaOptions;
  readonly #certificates: TestCertificates;
  readonly #http1: http.Server;
  readonly #http2: net.Server;
  readonly #sessions = http2.createServer();
  readonly #tunnels = new Set<Socket>();
  readonly #closed = new AbortController();
  #acceptor: TunnelAcceptor;
  #door: net.Server | undefined;
  #present: Present | undefined;
  #asked = 0;

  constructor(options: ReplicaOptions, certificates: TestCertificates) {
    this.number = options.number;
    this.address = options.address;
    this.#options = options;
    this.#certificates = certificates;
    this.#acceptor = this.#newAcceptor();
    this.#http1 = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) =>
      this.#recv(new Http1Wire(request, response)),
    );
    this.#http2 = net.createServer((socket) => this.#recvHttp2(socket));
  }

  static async open(options: ReplicaOptions, certificates: TestCertificates): Promise<LedgerReplica> {
    await using stack = new AsyncDisposableStack();
    const replica = stack.use(new LedgerReplica(options, certificates));
    for (const server of [replica.#http1, replica.#http2]) {
      server.listen(0, options.address);
      await once(server, 'listening');
    }
    await replica.openDoor();
    stack.move();
    return replica;
  }

  port(protocol: RunPlan['protocol']): number {
    return ((protocol === 'HTTP/2' ? this.#http2 : this.#http1).address() as AddressInfo).port;
  }

  begin(present: Present): void {
    this.#present = present;
    this.#asked = 0;
  }

  end(): void {
    this.#present = undefined;
  }

  /** Lets its proxy listen again. */
  async openDoor(): Promise<void> {
    if (this.#door !== undefined) return;
    const door = net.createServer({ noDelay: true }, (socket) => {
      this.#tunnels.add(socket);
      socket.once('close', () => this.#tunnels.delete(socket));
      this.#acceptor.accept(socket);
    });
    door.listen(15_008, this.address);
    await once(door, 'listening');
    this.#door = door;
  }

  /** Connections to its proxy are refused from now on, and those that are open break. */
  async closeDoor(): Promise<void> {
    const door = this.#door;
    if (door === undefined) return;
    this.#door = undefined;
    door.close();
    for (const socket of this.#tunnels) socket.destroy();
    await once(door, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.closeDoor();
    await this.#acceptor[Symbol.asyncDispose]();
    this.#http1.close();
    this.#http1.closeAllConnections();
    this.#http2.close();
  }

  #newAcceptor(): TunnelAcceptor {
    return new TunnelAcceptor(
      { identity: this.#options.identity, trustDomain: 'cluster.local' },
      {
        engine: new FramedEngine({ clock: systemClock }),
        certificates: this.#certificates,
        drain: new Drain({ clock: systemClock }),
        onConnect: (incoming) => void this.#recvConnect(incoming),
        onFailure: () => {},
        clock: systemClock,
        logger: silentLogger,
      },
    );
  }

  async #recvConnect(incoming: IncomingConnect): Promise<void> {
    const fault = this.#nextTunnelFault();
    if (fault === 'refuse-tunnel') return incoming.refuse(503);
    if (fault === 'deny-tunnel') return incoming.refuse(401);
    if (fault === 'late-tunnel') await sleep((this.#present?.plan.policy.perTryMs ?? 100) + 30);
    const port = Number(incoming.authority.slice(incoming.authority.lastIndexOf(':') + 1));
    const app = await dialTcp({ ip: ip(this.address), port }, AbortSignal.timeout(2_000)).catch(() => undefined);
    if (app === undefined) return incoming.refuse(503);
    const stream = incoming.accept({});
    if (fault === 'cut-tunnel') {
      app.destroy();
      stream.destroy();
      return;
    }
    await relay(stream, app, { clock: systemClock }, this.#closed.signal);
  }

  #nextTunnelFault(): TunnelFault | undefined {
    const present = this.#present;
    const fault = present?.plan.tunnels[this.number]?.[this.#asked];
    this.#asked += 1;
    if (fault !== undefined) present?.journal.meet(fault, `proxy of ledger-${this.number}`);
    return fault;
  }

  #recvHttp2(socket: Socket): void {
    const line: Http2Line = { socket, refusedAbove: Infinity };
    socket.on('error', ignore);
    // The session is announced before `emit` returns.
    this.#sessions.once('session', (session: ServerHttp2Session) => {
      session.on('error', ignore);
      session.on('stream', (stream, headers) => {
        stream.on('error', ignore);
        const wire = new Http2Wire(stream, headers, line);
        if (wire.excluded) this.#present?.journal.note(`ledger-${this.number}: a stream beyond its GOAWAY is not looked at`);
        else this.#recv(wire);
      });
    });
    this.#sessions.emit('connection', socket);
  }

  #recv(wire: Wire): void {
    const present = this.#present;
    const told = toldIn(wire);
    if (present === undefined || told.run !== present.plan.run) {
      this.strays += 1;
      return wire.die();
    }
    const { journal } = present;
    const arrival = journal.arrive(told, this.number);
    void journal.work(() => this.#treat(wire, arrival, present));
  }

  async #treat(wire: Wire, arrival: Arrival, { journal, plan }: Present): Promise<void> {
    const { fault } = arrival;
    if (fault === 'refused-stream' || fault === 'goaway') {
      arrival.refused = wire.refuse(fault);
      return;
    }
    if (fault === 'reset-before-reading') return wire.die();
    const body = await wire.body(fault === 'slow-reading');
    if (body === undefined) return journal.note(`ledger-${this.number}: the body of #${arrival.number} broke off`);
    arrival.whole = true;
    arrival.intact = createHash('sha256').update(body).digest('hex') === arrival.digest;
    await serve(wire, arrival, journal, plan);
  }
}

/** From a whole body to the answer, or what the fault makes of it. */
async function serve(wire: Wire, arrival: Arrival, journal: Journal, { policy }: RunPlan): Promise<void> {
  const pastTryMs = (policy.perTryMs ?? policy.requestMs / 2) + 25;
  const answer = (given: LedgerAnswer): LedgerAnswer => (arrival.answered = given);
  switch (arrival.fault) {
    case 'die-before-booking':
      return wire.die();
    case 'die-after-booking':
      answer(journal.book(arrival, 201));
      return wire.die();
    case 'half-head':
      answer(journal.book(arrival, 201));
      return wire.halfHead();
    case 'half-body':
      return wire.halfBody(answer(journal.book(arrival, 201)), arrival.number % 2 === 0);
    case 'malformed-answer':
      answer(journal.book(arrival, 201));
      return wire.malformed();
    case 'late-past-try':
    case 'late-past-request': {
      const booked = answer(journal.book(arrival, 201));
      await sleep(arrival.fault === 'late-past-try' ? pastTryMs : policy.requestMs + 40);
      return wire.answer(booked);
    }
    case 'late-booking':
      // Whoever waited may have left: it books all the same, as a server that is deep in its work does.
      await sleep(pastTryMs);
      return wire.answer(answer(journal.book(arrival, 201)));
    case '500-before-booking':
      return wire.answer(answer(journal.refuse(arrival, 500)));
    case '500-after-booking':
      return wire.answer(answer(journal.book(arrival, 500)));
    case '503-retry-after':
      return wire.answer(answer(journal.refuse(arrival, 503)), { 'retry-after': arrival.number % 2 === 0 ? '0' : '1' });
    case 'close-after-answer':
      return wire.answerAndClose(answer(journal.book(arrival, 201)));
    // Suffered before there is a body, or with it.
    case 'reset-before-reading':
    case 'refused-stream':
    case 'goaway':
    case 'slow-reading':
    case undefined:
      return wire.answer(answer(journal.book(arrival, 201)));
  }
}

function toldIn({ headers }: Wire): Told {
  const text = (name: string): string => String(headers[name] ?? '');
  return {
    run: Number(text('x-run')),
    payment: Number(text('x-payment')),
    send: text('x-send'),
    key: typeof headers['idempotency-key'] === 'string' ? headers['idempotency-key'] : undefined,
    digest: text('x-digest'),
  };
}

function ignore(): void {}
