import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Workload } from '@clearmesh/shared/model/workload';
import { createLogger } from '@clearmesh/shared/observe/log';
import { authorization, identity, match, workload } from '@clearmesh/shared/testing/builders';
import { encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeWorkload } from '@clearmesh/shared/wire/wds';
import { Metrics } from '../src/admin/metrics.ts';
import { LocalIdentities } from '../src/capture/local-identities.ts';
import { readConfig } from '../src/config.ts';
import { DataPlane } from '../src/data-plane.ts';
import { FilteredLog, parseLogFilter } from '@clearmesh/shared/observe/log-filter';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { CapturedPods, podIps } from './captured-pods.ts';
import { bounded, read, untilEnd } from './path/applications.ts';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';

const proxyMark = 1337;
const client = workload({ name: 'client', serviceAccount: 'client-sa', addresses: [podIps.client] });
const server = workload({ name: 'server', serviceAccount: 'server-sa', addresses: [podIps.server] });
const strict = authorization({
  name: 'strict',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ notPrincipals: [{ kind: 'presence' }] })] }] }],
});

describe('two captured pods', () => {
  let pods: CapturedPods;
  let plane: DataPlane | undefined;
  /** Identities whose certificates somebody holds. */
  let inUse: Set<string>;
  let store: SnapshotStore;
  let lines: Record<string, unknown>[];
  let wake: () => void;
  let metrics: Metrics;

  const push = (
    workloads: readonly Workload[],
    policies: readonly Authorization[] = [],
    removed: readonly string[] = [],
  ): void => {
    const upserts = workloads.map((each) => ({ name: each.uid, version: '1', value: encodeWorkload(each) }));
    store.apply({ typeUrl: ADDRESS_TYPE_URL, removed, upserts });
    const values = policies.map((each) => ({ name: each.key, version: '', value: encodeAuthorization(each) }));
    store.apply({ typeUrl: AUTHORIZATION_TYPE_URL, removed: [], upserts: values });
  };

  const line = async (message: string, direction: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines.find((each) => each['message'] === message && each['direction'] === direction);
      if (found !== undefined) return found;
      await bounded(new Promise<void>((resolve) => (wake = resolve)), `${message} ${direction}`);
    }
  };

  const start = (role: 'client' | 'server'): string | undefined =>
    plane?.pods.add({
      uid: role,
      info: { name: role, namespace: 'bank', serviceAccount: `${role}-sa` },
      namespace: pods.handle(role),
    });

  /** Who has counted connections, how they were secured, and how many. */
  const opened = async (): Promise<readonly string[]> => {
    const series = /^istio_tcp_connections_opened_total\{reporter="(\w+)".*connection_security_policy="(\w+)".*\} (\d+)$/gm;
    return [...(await metrics.registry.metrics()).matchAll(series)].map((found) => found.slice(1).join(' ')).sort();
  };

  beforeEach(async () => {
    lines = [];
    inUse = new Set();
    wake = () => {};
    const write = (text: string): void => {
      lines.push(JSON.parse(text) as Record<string, unknown>);
      wake();
    };
    const log = new FilteredLog(parseLogFilter('info')!, {
      sink: createLogger('ztunnel', { format: 'json', level: 'debug', write }),
    });
    store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: log.scope('xds') });
    push([client, server]);
    pods = new CapturedPods();
    metrics = new Metrics({ version: 'test' }, { clock: systemClock });
    plane = new DataPlane(readConfig({ NODE_NAME: 'node-a', ENABLE_ORIG_SRC: 'true' }), {
      store,
      certificates: await TestCertificates.create(),
      identities: new LocalIdentities({ node: 'node-a' }, { want: (id) => inUse.add(id), forget: (id) => inUse.delete(id) }),
      engine: new FramedEngine({ clock: systemClock }),
      metrics,
      log,
      clock: systemClock,
      nameservers: [],
      random: systemRandom,
      onPods: () => {},
    });
    expect([start('client'), start('server')]).to.deep.equal([undefined, undefined]);
  });

  afterEach(async () => {
    plane?.[Symbol.dispose]();
    plane = undefined;
    await pods[Symbol.asyncDispose]();
  });

  it('are joined by a tunnel, and the application sees its client’s own address', async () => {
    const seen: (string | undefined)[] = [];
    const port = await pods.serve('server', (socket) => {
      seen.push(socket.remoteAddress);
      socket.pipe(socket);
    });
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.end('question');
    expect((await untilEnd(socket)).data.toString()).to.equal('question');
    expect(seen).to.deep.equal([podIps.client]);
    const common = {
      'src.identity': identity('bank', 'client-sa'),
      'dst.identity': identity('bank', 'server-sa'),
      bytes_sent: 8,
      bytes_recv: 8,
    };
    expect(await line('connection complete', 'outbound')).to.include({ ...common, 'dst.addr': `${podIps.server}:15008` });
    expect(await line('connection complete', 'inbound')).to.include({ ...common, 'dst.hbone_addr': `${podIps.server}:${port}` });
    expect(await opened()).to.deep.equal(['destination mutual_tls 1', 'source mutual_tls 1']);
  });

  it('call one that is not captured in plain text, and count that at their own end', async () => {
    const port = await pods.serve('outside', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.outside, port });
    socket.end('plain');
    expect((await untilEnd(socket)).data.toString()).to.equal('plain');
    expect(await line('connection complete', 'outbound')).to.include({ 'dst.addr': `${podIps.outside}:${port}` });
    expect(await opened()).to.deep.equal(['source unknown 1']);
  });

  it('are called by one that is not captured in plain text, and count that at their own end', async () => {
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('outside', { ip: podIps.server, port });
    socket.end('plain');
    expect((await untilEnd(socket)).data.toString()).to.equal('plain');
    expect(await line('connection complete', 'inbound')).to.include({ 'dst.addr': `${podIps.server}:${port}` });
    expect(await opened()).to.deep.equal(['destination unknown 1']);
  });

  it('exchange 8 MiB unchanged', async () => {
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const sent = randomBytes(8 * 1024 * 1024);
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.end(sent);
    const { data } = await untilEnd(socket);
    expect(createHash('sha256').update(data).digest('hex')).to.equal(createHash('sha256').update(sent).digest('hex'));
  });

  it('let plain text in with its source kept, until STRICT closes it', async () => {
    const seen: (string | undefined)[] = [];
    const port = await pods.serve('server', (socket) => {
      seen.push(socket.remoteAddress);
      socket.pipe(socket);
    });
    const open = await pods.connect('client', { ip: podIps.server, port }, { mark: proxyMark });
    open.write('x');
    expect(await read(open, 1)).to.equal('x');
    expect(seen).to.deep.equal([podIps.client]);
    const ended = untilEnd(open);
    push([], [strict]);
    expect((await ended).end).to.equal('fin');
    const refused = await pods.connect('client', { ip: podIps.server, port }, { mark: proxyMark });
    expect((await untilEnd(refused)).data.length).to.equal(0);
    expect(seen).to.have.length(1);
  });

  it('stay joined by the tunnel under STRICT', async () => {
    push([], [strict]);
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.end('allowed');
    expect((await untilEnd(socket)).data.toString()).to.equal('allowed');
  });

  for (const role of ['client', 'server'] as const) {
    it(`finish what is open when the ${role} is removed by the node agent, and accept nothing new there`, async () => {
      const port = await pods.serve('server', (socket) => socket.pipe(socket));
      const socket = await pods.connect('client', { ip: podIps.server, port });
      socket.write('x');
      await read(socket, 1);
      expect(inUse.size).to.equal(2);
      plane?.pods.remove(role);
      await untilNothingNew(port);
      socket.end('y');
      expect((await untilEnd(socket)).data.toString()).to.equal('y');
      expect(await line('connection complete', 'inbound')).to.not.include.keys('error');
      while (inUse.has(identity('bank', `${role}-sa`))) await new Promise((resolve) => setImmediate(resolve));
      expect(inUse.size).to.equal(1);
    });
  }

  /** A listener yields its port for a while before it closes: a new connection may still get an answer. */
  async function untilNothingNew(port: number): Promise<void> {
    const signal = AbortSignal.timeout(5_000);
    for (let answered = 1; answered > 0; signal.throwIfAborted()) {
      answered = await pods.connect('client', { ip: podIps.server, port }).then(
        async (accepted) => {
          accepted.end('?');
          return (await untilEnd(accepted)).data.length;
        },
        () => 0,
      );
    }
  }

  async function untilRefused(port: number): Promise<void> {
    const signal = AbortSignal.timeout(5_000);
    for (let code: string | undefined = ''; code !== 'ECONNREFUSED'; signal.throwIfAborted()) {
      code = await pods.connect('client', { ip: podIps.server, port }).then(
        (accepted) => void accepted.destroy(),
        (error: Error & { code?: string }) => error.code,
      );
    }
  }

  it('lose their tunnels when the control plane removes one of them', async () => {
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.write('x');
    await read(socket, 1);
    const ended = untilEnd(socket);
    push([], [], [server.uid]);
    await ended;
  });

  it('lose them also when the client was taken away before, and still had something open', async () => {
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.write('x');
    await read(socket, 1);
    plane?.pods.remove('client');
    socket.write('y');
    expect(await read(socket, 1)).to.equal('y');
    // A pod of this name that runs elsewhere now has the address.
    push([workload({ name: 'server', serviceAccount: 'other-sa', addresses: [podIps.server] })]);
    await untilEnd(socket);
    expect((await line('connection complete', 'outbound'))['error']).to.not.equal(undefined);
  });

  it('take a connection to one that the control plane has removed, and close it without a byte', async function () {
    // It waits 5 s for word of the pod.
    this.timeout(15_000);
    let reached = 0;
    const port = await pods.serve('server', () => reached++);
    push([], [], [server.uid]);
    const socket = await pods.connect('client', { ip: podIps.server, port });
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('end', () => socket.end());
    await once(socket, 'close', { signal: AbortSignal.timeout(12_000) });
    expect([bytes, reached]).to.deep.equal([0, 0]);
    expect((await line('connection failed', 'inbound'))['error']).to.match(/server-sa\.bank/);
  });

  it('finish what is open within the drain and accept nothing new', async () => {
    const port = await pods.serve('server', (socket) => socket.pipe(socket));
    const socket = await pods.connect('client', { ip: podIps.server, port });
    socket.write('x');
    await read(socket, 1);
    const drained = plane!.pods.drain(60_000);
    await untilRefused(port);
    socket.end('y');
    expect((await untilEnd(socket)).data.toString()).to.equal('y');
    expect(await bounded(drained, 'the drain')).to.deep.equal([]);
  });

  it('never reach a port of a proxy, whichever way they try', async () => {
    for (const port of [15_001, 15_006, 15_008]) {
      const socket = await pods.connect('client', { ip: podIps.server, port });
      socket.write('GET / HTTP/1.1\r\n\r\n');
      expect((await untilEnd(socket)).data.length).to.equal(0);
    }
  });
});
