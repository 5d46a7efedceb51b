/** A service of another network: its gateway in between, and the pod's own proxy at the end (l4-contract section 2.8). */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import { authorization, identity, ip, match, service, workload } from '@clearmesh/shared/testing/builders';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { Workload } from '@clearmesh/shared/model/workload';
import { PodListener } from '../../src/capture/pod-listener.ts';
import { Application, read, untilEnd } from './applications.ts';
import { GatewayPeer } from './gateway-peer.ts';
import { MeshBed, clientIp, clientSpec, serverIp, serverSpec } from './mesh-bed.ts';

const vip = '127.0.78.9';
const gatewayIp = '127.0.77.30';
const hostname = 'server.bank.svc.cluster.local';
const clientId = identity('bank', 'client-sa');
const serverId = identity('bank', 'server-sa');
const gatewayWorkload = workload({
  uid: `NetworkGateway/west/${gatewayIp}/15008`,
  name: 'gate',
  namespace: 'networks',
  serviceAccount: 'gate-sa',
  addresses: [gatewayIp],
  network: 'west',
});
const networkGateway = { kind: 'address', address: { network: 'west', ip: ip(gatewayIp) }, hboneMtlsPort: 15_008 } as const;
const denyClient = authorization({
  name: 'deny-client',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/client-sa' }] })] }] }],
});

describe('a service of another network', () => {
  let mesh: MeshBed;
  let app: Application;
  let gate: GatewayPeer;
  let listener: PodListener;

  /** What the client's control plane says: all endpoints of a network are one, without address. */
  const standIn = (spec: Partial<Workload> = {}): Workload => ({
    ...workload({
      uid: `west/SplitHorizonWorkload/networks/gate/${gatewayIp}/bank/${hostname}`,
      name: 'server-west',
      network: 'west',
      addresses: [],
      services: { [`bank/${hostname}`]: { 80: 80 } },
    }),
    networkGateway,
    ...spec,
  });
  const called = (subjectAltNames: readonly string[] = [serverId]) =>
    service({ name: 'server', addresses: [`east/${vip}`], ports: { 80: app.port }, subjectAltNames });

  beforeEach(async () => {
    mesh = await MeshBed.create({ networks: { client: 'east', server: 'west' } });
    app = await Application.echo(serverIp);
    gate = new GatewayPeer(spiffeId(gatewayWorkload), {
      engine: mesh.engine,
      certificates: mesh.certificates,
      connect: () => mesh.dial({ ip: ip(serverIp), port: 15_008 }, gatewayIp),
    });
    listener = new PodListener(
      { ip: gatewayIp, port: 0, allowHalfOpen: false },
      { listen: listenSocket, onAccept: ({ socket }) => gate.acceptor.accept(socket), logger: silentLogger },
    );
    mesh.ports.set(`${gatewayIp}:15008`, listener.port ?? 0);
    const client = workload({ ...clientSpec, network: 'east' });
    const removed = [workload(serverSpec).uid];
    mesh.push({ workloads: [client, standIn(), gatewayWorkload], services: [called()], removed }, ['client']);
    const own = service({ name: 'server', addresses: [], ports: { 80: app.port } });
    const server = workload({ ...serverSpec, network: 'west', services: { [own.key]: { 80: app.port } } });
    mesh.push({ workloads: [server], services: [own], removed: [workload(clientSpec).uid] }, ['server']);
  });
  afterEach(async () => {
    listener.close();
    await gate[Symbol.asyncDispose]();
    await mesh[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  async function nothing(): Promise<void> {
    const client = await mesh.call(80, { ip: vip });
    client.end('payment');
    expect((await untilEnd(client)).data.length).to.equal(0);
    expect(app.connections).to.have.length(0);
  }

  const scrape = (): Promise<string> => mesh.metrics.registry.metrics();

  it('is reached in two tunnels, and logged at both ends with who answered', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    expect(
      gate.requests.map(({ incoming, peer }) => [incoming.authority, peer.identity, incoming.headers]),
    ).to.have.nested.property('[0]');
    const [asked] = gate.requests;
    expect(asked?.incoming.authority).to.equal(`${hostname}:80`);
    expect(asked?.peer.identity).to.equal(clientId);
    expect(asked?.incoming.headers).to.not.have.property('xForwardedNetwork');
    expect(asked?.incoming.headers.forwarded).to.match(new RegExp(`^for="${clientIp}:\\d+";host=${hostname}$`));
    const outbound = await mesh.complete('outbound');
    expect(outbound).to.include({
      'src.identity': clientId,
      'dst.addr': `${gatewayIp}:15008`,
      'dst.hbone_addr': `${hostname}:80`,
      'dst.service': hostname,
      'dst.workload': 'server',
      'dst.namespace': 'bank',
      'dst.identity': serverId,
      bytes_sent: 8,
      bytes_recv: 8,
    });
    const inbound = await mesh.complete('inbound');
    expect(inbound).to.include({
      'src.workload': 'client',
      'src.namespace': 'bank',
      'src.identity': clientId,
      'dst.hbone_addr': `${serverIp}:${app.port}`,
      'dst.service': hostname,
      'dst.identity': serverId,
    });
    expect(outbound['trace_id']).to.equal(inbound['trace_id']);
    expect(String(inbound['src.addr'])).to.match(new RegExp(`^${gatewayIp}:`));
  });

  it('is counted at both ends as mutual TLS between the two workloads', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.end('question');
    await untilEnd(client);
    await Promise.all([mesh.complete('outbound'), mesh.complete('inbound')]);
    const text = await scrape();
    for (const reporter of ['source', 'destination']) {
      const series = text
        .split('\n')
        .find((line) => line.startsWith(`istio_tcp_connections_closed_total{reporter="${reporter}"`));
      expect(series).to.include('source_workload="client"').and.include('destination_workload="server"');
      expect(series).to.include(`destination_principal="${serverId}"`).and.include(`destination_service="${hostname}"`);
      expect(series).to.include('connection_security_policy="mutual_tls"').and.include('response_flags="-"');
    }
  });

  it('shows in the dump as what it is', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.write('x');
    await read(client, 1);
    const [open] = mesh.client.path.connections.summaries('outbound');
    expect(open).to.include({ originalDst: `${hostname}:80`, actualDst: `${gatewayIp}:15008`, protocol: 'HBONE' });
  });

  it('answers after the client has ended its side', async () => {
    await app[Symbol.asyncDispose]();
    app = await Application.listen(serverIp, (socket) => socket.resume().once('end', () => socket.end('said at last')));
    mesh.push({ services: [service({ name: 'server', addresses: [], ports: { 80: app.port } })] }, ['server']);
    const own = service({ name: 'server', addresses: [], ports: { 80: app.port } });
    mesh.push({ workloads: [workload({ ...serverSpec, network: 'west', services: { [own.key]: { 80: app.port } } })] }, [
      'server',
    ]);
    const client = await mesh.call(80, { ip: vip });
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('said at last');
  });

  it('denies by its own policy whom the inner certificate proves, and both ends say so', async () => {
    mesh.push({ policies: [denyClient] }, ['server']);
    await nothing();
    expect(await mesh.complete('outbound')).to.include({ error: 'http status: 401 Unauthorized', 'dst.identity': serverId });
    expect(await mesh.complete('inbound')).to.include({ policy: 'bank/deny-client', 'src.identity': clientId });
  });

  it('closes what is open when its policy changes', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.write('x');
    await read(client, 1);
    const ended = untilEnd(client);
    mesh.push({ policies: [denyClient] }, ['server']);
    expect((await ended).end).to.equal('fin');
  });

  it('says that it was the gateway that turned a connection away', async () => {
    gate.refusal = 503;
    await nothing();
    const line = await mesh.complete('outbound');
    expect(line).to.include({ error: 'the gateway of network "west" answered http status: 503 Service Unavailable' });
    expect(line).to.not.have.property('dst.identity');
    expect(await scrape()).to.match(/istio_tcp_connections_failed_total\{.*response_flags="CONNECT".*\} 1/);
  });

  it('is not reached where somebody else answers at the far end', async () => {
    mesh.push({ services: [called([identity('bank', 'other-sa')])] }, ['client']);
    await nothing();
    const { error } = await mesh.complete('outbound');
    expect(error).to.match(/^TLS with server\.bank.*:80 behind gateway 127\.0\.77\.30:15008 failed \(unexpected-identity\)/);
    expect(await scrape()).to.match(/istio_tcp_connections_failed_total\{.*response_flags="TLS_FAILURE".*\} 1/);
  });

  it('is not reached where somebody else answers at the gateway', async () => {
    mesh.push({ workloads: [{ ...gatewayWorkload, serviceAccount: 'somebody' }] }, ['client']);
    await nothing();
    expect((await mesh.complete('outbound'))['error']).to.match(/^TLS with 127\.0\.77\.30:15008 failed \(unexpected-identity\)/);
    expect(gate.requests).to.deep.equal([]);
  });

  for (const [title, push] of [
    ['has no gateway', () => ({ removed: [gatewayWorkload.uid] })],
    ['has one that is not ready', () => ({ workloads: [{ ...gatewayWorkload, status: 'UNHEALTHY' as const }] })],
    ['proves nobody', () => ({ services: [called([])] })],
  ] as const) {
    it(`is refused where it ${title}, and counted by the reason`, async () => {
      mesh.push(push(), ['client']);
      await nothing();
      expect((await mesh.failed('outbound'))['error']).to.match(/is in network "west" and the client in "east": /);
      expect(await scrape()).to.match(/clearmesh_denials_total\{.*reason="network-gateway-unavailable".*\} 1/);
      expect(gate.requests).to.deep.equal([]);
    });
  }

  it('shares one tunnel to the gateway among its connections, each with an inner one of its own', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => mesh.call(80, { ip: vip })));
    for (const client of clients) client.write('x');
    for (const client of clients) await read(client, 1);
    expect(gate.acceptor.sessionCount).to.equal(1);
    expect(gate.requests).to.have.length(4);
    expect(mesh.client.path.dialer.tunnelCount).to.equal(1);
  });

  it('loses its connections when the gateway is removed', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.write('x');
    await read(client, 1);
    mesh.client.path.dialer.closePeer(ip(gatewayIp));
    expect((await untilEnd(client)).end).to.equal('fin');
    expect(await mesh.complete('outbound')).to.have.property('error');
  });

  it('is let go with the client’s pod', async () => {
    const client = await mesh.call(80, { ip: vip });
    client.write('x');
    await read(client, 1);
    mesh.client.drain.force();
    await untilEnd(client);
    await mesh.client.path[Symbol.asyncDispose]();
    expect(mesh.client.path.connections.size).to.equal(0);
    await mesh.complete('inbound');
  });
});
