/**
 * A waypoint that is added to a running service, moved and removed: both proxies hear of it, one before the other.
 * Pushes to one proxy stand for the milliseconds between two streams of the control plane; nothing here sleeps.
 */
import { expect } from 'chai';
import { afterEach, describe, it } from 'mocha';
import type net from 'node:net';
import { authorization, identity, match, service, workload } from '@clearmesh/shared/testing/builders';
import { read, untilEnd } from './applications.ts';
import { clientSpec, serverSpec } from './mesh-bed.ts';
import type { LogLine } from './mesh-bed.ts';
import { WaypointBed, gateway, vip, waypointPod } from './waypoint-bed.ts';
import { dialServer } from './waypoint-peer.ts';

const clientId = identity('bank', 'client-sa');
const waypointId = identity('bank', 'waypoint-sa');
const allowClient = authorization({
  name: 'allow-client',
  rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/client-sa' }] })] }] }],
});
/** Never over by itself: what ends such a wait is the event under test, however slow the machine. */
const forever = { waits: { maxMs: 600_000 } };
const count = 20;

describe('a waypoint that is added to a running service', () => {
  let bed: WaypointBed;
  afterEach(() => bed[Symbol.asyncDispose]());

  /** A service of the mesh that is bound to nobody yet. */
  async function start(limits: Parameters<typeof WaypointBed.create>[0] = forever): Promise<void> {
    bed = await WaypointBed.create(limits);
    bed.unbind();
  }

  async function until(holds: () => boolean, what: string): Promise<void> {
    const deadline = AbortSignal.timeout(5_000);
    while (!holds()) {
      if (deadline.aborted) throw new Error(`${what} took longer than 5 s`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const calls = (): Promise<net.Socket[]> => Promise.all(Array.from({ length: count }, () => bed.mesh.call(80, { ip: vip })));

  /** What the application said to each, after it was asked by each. */
  function answers(clients: readonly net.Socket[]): Promise<string[]> {
    return Promise.all(
      clients.map(async (client, index) => {
        client.end(`question ${index}`);
        return (await untilEnd(client)).data.toString();
      }),
    );
  }
  const expected = Array.from({ length: count }, (_, index) => `question ${index}`);

  const inbound = (): LogLine[] =>
    bed.mesh.log.filter(({ message, direction }) => message === 'connection complete' && direction === 'inbound');
  const bypassed = (): LogLine[] => inbound().filter(({ error }) => /without its waypoint/.test(String(error)));
  const metrics = (): Promise<string> => bed.mesh.metrics.registry.metrics();

  describe('at the server first', () => {
    it('fails no connection: those that came directly go through it, and none of them reaches the application before', async () => {
      await start();
      expect(await answers([await bed.mesh.call(80, { ip: vip })])).to.deep.equal(['question 0']);
      const before = bed.app.connections.length;
      bed.push({}, ['server']);
      const clients = await calls();
      const answering = answers(clients);
      await until(() => bypassed().length === count, 'direct connections refused');
      expect(bed.app.connections).to.have.length(before);
      expect(bed.waypoint.requests).to.have.length(0);
      bed.push({}, ['client']);
      expect(await answering).to.deep.equal(expected);
      expect(bed.app.connections).to.have.length(before + count);
      expect(bed.waypoint.requests.map(({ peer }) => peer.identity)).to.deep.equal(Array.from({ length: count }, () => clientId));
      expect(await metrics()).to.match(new RegExp(`^clearmesh_misdirected_retries_total ${count}$`, 'm'));
      expect(await metrics()).to.match(/direction="inbound",reason="waypoint-bypass",policy="",response_flags="DENY"\} 20/);
    });

    it('reports each connection once at the client, with where it went', async () => {
      await start();
      bed.push({}, ['server']);
      const answering = answers([await bed.mesh.call(80, { ip: vip })]);
      await until(() => bypassed().length === 1, 'the direct connection refused');
      bed.push({}, ['client']);
      await answering;
      await bed.mesh.complete('outbound');
      const lines = bed.mesh.log.filter(
        ({ direction, message }) => direction === 'outbound' && message === 'connection complete',
      );
      expect(lines.map((line) => [line['dst.addr'], line['dst.hbone_addr'], line['dst.workload'], line['error']])).to.deep.equal([
        ['127.0.77.10:15008', `${vip}:80`, 'waypoint-0', undefined],
      ]);
    });

    it('refuses when the client’s proxy never hears of it, and says what 421 means', async () => {
      await start({ waits: { maxMs: 50 } });
      bed.push({}, ['server']);
      expect(await answers([await bed.mesh.call(80, { ip: vip })])).to.deep.equal(['']);
      expect((await bed.mesh.complete('outbound'))['error']).to.equal(
        'http status: 421 Misdirected Request: service bank/server.bank.svc.cluster.local takes connections from its waypoint only, and this proxy has not heard of it; see whether both proxies reach the control plane',
      );
      expect(await metrics()).to.match(/istio_tcp_connections_failed_total\{reporter="source",.*response_flags="DENY".*\} 1/);
      expect(bed.app.connections).to.have.length(0);
    });

    it('is waited for by so many connections and no more', async () => {
      await start({ waits: { ...forever.waits, maxWaiting: 1 } });
      bed.push({}, ['server']);
      const waiting = await bed.mesh.call(80, { ip: vip });
      await until(() => bypassed().length === 1, 'the first one refused');
      expect(await answers([await bed.mesh.call(80, { ip: vip })])).to.deep.equal(['']);
      bed.push({}, ['client']);
      expect(await answers([waiting])).to.deep.equal(['question 0']);
    });

    it('does not keep a pod’s drain waiting', async () => {
      await start();
      bed.push({}, ['server']);
      const client = await bed.mesh.call(80, { ip: vip });
      await until(() => bypassed().length === 1, 'the direct connection refused');
      bed.mesh.client.drain.force();
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(await bed.mesh.complete('outbound')).to.include({ error: 'connection closed due to connection drain' });
    });

    it('leaves a connection that is open alone', async () => {
      await start();
      const client = await bed.mesh.call(80, { ip: vip });
      client.write('a');
      await read(client, 1);
      bed.push({}, ['server']);
      client.end('b');
      expect((await untilEnd(client)).data.toString()).to.equal('b');
    });
  });

  describe('at the client first', () => {
    const held = (connections = count): Promise<void> =>
      until(
        () => bed.waypoint.requests.length === connections && bed.mesh.server.path.connections.size === connections,
        'CONNECTs of the waypoint at the server',
      );

    it('fails no connection: the server waits for word of the waypoint, and policy sees the callers', async () => {
      await start();
      bed.mesh.push({ policies: [allowClient] });
      bed.push({}, ['client']);
      const answering = answers(await calls());
      await held();
      expect(bed.app.connections).to.have.length(0);
      bed.push({}, ['server']);
      expect(await answering).to.deep.equal(expected);
      await until(() => inbound().length === count, 'the ends at the server');
      expect(new Set(inbound().map((line) => `${line['src.identity']} for ${line['src.caller']}`))).to.deep.equal(
        new Set([`${waypointId} for ${clientId}`]),
      );
      expect(await metrics()).to.match(/^clearmesh_ignored_callers_total 0$/m);
    });

    it('lets the peer in as itself, counted, when the server’s proxy never hears of it', async () => {
      await start({ waits: { maxMs: 50 } });
      bed.push({}, ['client']);
      expect(await answers([await bed.mesh.call(80, { ip: vip })])).to.deep.equal(['question 0']);
      expect(await bed.mesh.complete('inbound'))
        .to.include({ 'src.identity': waypointId })
        .and.not.to.have.property('src.caller');
      expect(await metrics()).to.match(/^clearmesh_ignored_callers_total 1$/m);
    });

    it('gains a peer that only says so nothing: what came to be required while it waited holds for it', async () => {
      await start({});
      const dialling = dialServer(bed.mesh.client.path.dialer, workload(clientSpec), bed.waypoint.endpoint, { caller: clientId });
      await until(() => bed.mesh.server.path.connections.size === 1, 'its CONNECT at the server');
      const bound = workload({ ...serverSpec, services: { [bed.service().key]: { 80: bed.app.port } }, waypoint: gateway });
      bed.mesh.push({ workloads: [bound] }, ['server']);
      expect(await dialling).to.include({ kind: 'refused', status: 421 });
      expect(bed.app.connections).to.have.length(0);
    });

    it('is waited for by so many requests and no more', async () => {
      await start({ waits: { ...forever.waits, maxWaiting: 1 } });
      bed.mesh.push({ policies: [allowClient] });
      const first = bed.waypoint.ask({ caller: clientId });
      await until(() => bed.mesh.server.path.connections.size === 1, 'the first CONNECT at the server');
      expect(await bed.waypoint.ask({ caller: clientId })).to.include({ kind: 'refused', status: 401 });
      bed.push({}, ['server']);
      expect((await first).kind).to.equal('open');
    });

    it('is not waited for when the waypoint gave up, which nobody is blamed for', async () => {
      await start();
      const abort = new AbortController();
      const asking = bed.waypoint.ask({ caller: clientId }, bed.waypoint.endpoint, abort.signal);
      await until(() => bed.mesh.server.path.connections.size === 1, 'its CONNECT at the server');
      abort.abort();
      await asking;
      await until(() => bed.mesh.server.path.connections.size === 0, 'its end');
      expect(await bed.mesh.failed('inbound')).to.include({ error: 'the peer gave up before it was answered' });
      expect(await metrics()).to.match(/^clearmesh_ignored_callers_total 0$/m);
      expect(await metrics()).not.to.match(/^clearmesh_denials_total\{/m);
    });

    it('does not keep a pod’s drain waiting', async () => {
      await start();
      const asking = bed.waypoint.ask({ caller: clientId });
      await until(() => bed.mesh.server.path.connections.size === 1, 'its CONNECT at the server');
      bed.mesh.server.drain.force();
      expect((await asking).kind).not.to.equal('open');
      expect(await metrics()).to.match(/direction="inbound",reason="draining"/);
    });
  });

  describe('and is removed or replaced', () => {
    it('is answered with 421 when it still comes for others', async () => {
      await start({ waits: { maxMs: 50 } });
      bed.push();
      const outcome = await bed.waypoint.ask({ caller: clientId });
      if (outcome.kind === 'open') outcome.stream.destroy();
      bed.unbind(['server']);
      expect(await bed.waypoint.ask({ caller: clientId })).to.include({ kind: 'refused', status: 421 });
      expect((await bed.mesh.failed('inbound'))['error']).to.equal(
        `${waypointId} speaks for another, and is no longer a waypoint of ${identity('bank', 'server-sa')}`,
      );
      expect(await metrics()).to.match(/direction="inbound",reason="former-waypoint",policy="",response_flags="DENY"\} 1/);
      expect(bed.app.connections).to.have.length(1);
    });

    it('is answered with 421 when another one is required', async () => {
      await start({ waits: { maxMs: 50 } });
      bed.push();
      const second = service({ name: 'second', addresses: [], ports: { 15008: 15008 } });
      bed.mesh.push({
        workloads: [waypointPod(5, { serviceAccount: 'second-sa', services: { [second.key]: { 15008: 15008 } } })],
      });
      const toSecond = { kind: 'hostname', namespace: 'bank', hostname: second.hostname, hboneMtlsPort: 15_008 } as const;
      bed.mesh.push({ services: [second, bed.service({ waypoint: toSecond })] }, ['server']);
      expect(await bed.waypoint.ask({ caller: clientId })).to.include({ kind: 'refused', status: 421 });
      expect((await bed.mesh.complete('inbound'))['error']).to.match(/requires waypoint bank\/second\.bank/);
      expect(bed.app.connections).to.have.length(0);
    });

    it('fails no connection that its own proxy answers with 421 before the client’s hears of it', async () => {
      await start();
      bed.push();
      bed.waypoint.refusal = 421;
      bed.unbind(['server']);
      const answering = answers(await calls());
      await until(() => bed.waypoint.requests.length === count, 'requests refused by the waypoint');
      expect(bed.app.connections).to.have.length(0);
      bed.unbind(['client']);
      expect(await answering).to.deep.equal(expected);
    });
  });
});
