/** Two ztunnels of two networks, and a gateway between them (l4-contract sections 2.8 and 14.1, double HBONE). */
import { createHash, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { createLogger } from '@clearmesh/shared/observe/log';
import { FilteredLog, parseLogFilter } from '@clearmesh/shared/observe/log-filter';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { Metrics } from '../src/admin/metrics.ts';
import { LocalIdentities } from '../src/capture/local-identities.ts';
import { readConfig } from '../src/config.ts';
import { DataPlane } from '../src/data-plane.ts';
import { bounded, untilEnd } from './path/applications.ts';
import { GatewayPeer } from './path/gateway-peer.ts';
import { TwoNetworks, addressOf, gatewayAddress, podsOf } from './two-networks.ts';
import type { NetworkName, NetworkPod } from './two-networks.ts';

const vip = '10.96.0.1';
const appPort = 8080;
const hostname = 'ledger.bank.svc.cluster.local';
const ledgerId = identity('bank', 'server-sa');
const gatewayId = identity('networks', 'gate-sa');
const gateService = service({ name: 'gate', namespace: 'networks', addresses: [], ports: { 15008: 15008 } });
const byAddress: GatewayAddress = {
  kind: 'address',
  address: { network: 'west', ip: ip(gatewayAddress) },
  hboneMtlsPort: 15_008,
};
const byHostname: GatewayAddress = {
  kind: 'hostname',
  namespace: 'networks',
  hostname: gateService.hostname,
  hboneMtlsPort: 15_008,
};
const gate = workload({
  uid: `NetworkGateway/west/${gatewayAddress}/15008`,
  name: 'gate',
  namespace: 'networks',
  serviceAccount: 'gate-sa',
  addresses: [gatewayAddress],
  network: 'west',
  services: { [gateService.key]: { 15008: 15008 } },
});

function podIn(network: NetworkName, name: NetworkPod): Workload {
  const role = name.split('-')[0] ?? '';
  const services = network === 'west' ? { [`bank/${hostname}`]: { 80: appPort } } : {};
  return workload({ name, serviceAccount: `${role}-sa`, addresses: [addressOf(name)], network, clusterId: network, services });
}

/** What the client's control plane knows of the other network: that it has the service, and its gateway. */
function standIn(networkGateway: GatewayAddress): Workload {
  const uid = `west/SplitHorizonWorkload/networks/gate/${gatewayAddress}/bank/${hostname}`;
  const services = { [`bank/${hostname}`]: { 80: 0 } };
  return { ...workload({ uid, name: 'ledger-west', addresses: [], network: 'west', services }), networkGateway };
}

const called = (network: NetworkName): Service =>
  service({ name: 'ledger', addresses: [`${network}/${vip}`], ports: { 80: appPort }, subjectAltNames: [ledgerId] });

describe('two networks with a gateway between them', () => {
  let networks: TwoNetworks;
  let planes: DataPlane[];
  let stores: Record<NetworkName, SnapshotStore>;
  let gateway: GatewayPeer;
  let lines: Record<string, unknown>[];
  let wake: () => void;

  const push = (
    network: NetworkName,
    workloads: readonly Workload[],
    services: readonly Service[],
    removed: readonly string[] = [],
  ): void => {
    const upserts = [
      ...workloads.map((each) => ({ name: each.uid, version: '1', value: encodeWorkload(each) })),
      ...services.map((each) => ({ name: each.key, version: '1', value: encodeService(each) })),
    ];
    expect(stores[network].apply({ typeUrl: ADDRESS_TYPE_URL, removed, upserts })).to.deep.equal([]);
    stores[network].apply({ typeUrl: AUTHORIZATION_TYPE_URL, removed: [], upserts: [] });
  };

  const line = async (direction: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines.find((each) => each['message'] === 'connection complete' && each['direction'] === direction);
      if (found !== undefined) return found;
      await bounded(new Promise<void>((resolve) => (wake = resolve)), `the end of a connection ${direction}`);
    }
  };

  const startNetwork = (network: NetworkName, certificates: TestCertificates, engine: FramedEngine): void => {
    const write = (text: string): void => {
      lines.push(JSON.parse(text) as Record<string, unknown>);
      wake();
    };
    const log = new FilteredLog(parseLogFilter('info')!, {
      sink: createLogger('ztunnel', { format: 'json', level: 'debug', write }),
    });
    const plane = new DataPlane(
      readConfig({ NODE_NAME: network, NETWORK: network, CLUSTER_ID: network, ENABLE_ORIG_SRC: 'true' }),
      {
        store: stores[network],
        certificates,
        identities: new LocalIdentities({ node: network }, { want: () => {}, forget: () => {} }),
        engine,
        metrics: new Metrics({ version: 'test' }, { clock: systemClock }),
        log,
        clock: systemClock,
        nameservers: [],
        random: systemRandom,
        onPods: () => {},
      },
    );
    planes.push(plane);
    for (const name of podsOf[network]) {
      const info = { name, namespace: 'bank', serviceAccount: `${name.split('-')[0]}-sa` };
      expect(plane.pods.add({ uid: name, info, namespace: networks.handle(name) })).to.equal(undefined);
    }
  };

  beforeEach(async () => {
    lines = [];
    planes = [];
    wake = () => {};
    networks = new TwoNetworks();
    const store = (): SnapshotStore =>
      new SnapshotStore(
        { clusterId: 'Kubernetes' },
        { clock: systemClock, logger: createLogger('xds', { format: 'json', write: () => {} }) },
      );
    stores = { east: store(), west: store() };
    push('east', [...podsOf.east.map((name) => podIn('east', name)), standIn(byAddress), gate], [called('east'), gateService]);
    push(
      'west',
      podsOf.west.map((name) => podIn('west', name)),
      [called('west')],
    );
    const certificates = await TestCertificates.create();
    const engine = new FramedEngine({ clock: systemClock });
    let turn = 0;
    gateway = new GatewayPeer(gatewayId, {
      engine,
      certificates,
      connect: () => networks.connect('gateway', { ip: addressOf(podsOf.west[turn++ % 2] ?? 'server-a'), port: 15_008 }),
    });
    await networks.serve('gateway', { ip: gatewayAddress, port: 15_008 }, (socket) => gateway.acceptor.accept(socket));
    startNetwork('east', certificates, engine);
    startNetwork('west', certificates, engine);
  });

  afterEach(async () => {
    for (const plane of planes) plane[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
    await networks[Symbol.asyncDispose]();
  });

  /** An application in each pod of the west. */
  const serve = async (onConnection: (socket: net.Socket, pod: string) => void): Promise<void> => {
    for (const pod of podsOf.west)
      await networks.serve(pod, { ip: '0.0.0.0', port: appPort }, (socket) => onConnection(socket, pod));
  };

  const ask = async (from: NetworkPod, question: string): Promise<string> => {
    const socket = await networks.connect(from, { ip: vip, port: 80 });
    socket.end(question);
    return (await untilEnd(socket)).data.toString();
  };

  for (const [title, networkGateway] of [
    ['address', byAddress],
    ['hostname', byHostname],
  ] as const) {
    it(`are joined in two tunnels by a gateway known by its ${title}`, async () => {
      push('east', [standIn(networkGateway)], []);
      await serve((socket, pod) => socket.end(`${pod} `).resume());
      expect(await ask('client-a', 'question')).to.equal('server-a ');
      expect(await ask('client-b', 'question')).to.equal('server-b ');
      expect(gateway.requests.map(({ incoming, peer }) => [incoming.authority, peer.identity])).to.deep.equal([
        [`${hostname}:80`, identity('bank', 'client-sa')],
        [`${hostname}:80`, identity('bank', 'client-sa')],
      ]);
      expect(await line('outbound')).to.include({
        'dst.addr': `${gatewayAddress}:15008`,
        'dst.hbone_addr': `${hostname}:80`,
        'dst.workload': 'server-a',
        'dst.cluster': 'west',
        'dst.identity': ledgerId,
      });
      expect(await line('inbound')).to.include({
        'src.workload': 'client-a',
        'src.cluster': 'east',
        'src.identity': identity('bank', 'client-sa'),
        'dst.hbone_addr': `10.77.0.1:${appPort}`,
        'dst.service': hostname,
      });
    });
  }

  it('leave a pod’s call to an address of its own network alone, whoever has it in the other', async () => {
    await serve((socket) => socket.end('west'));
    await networks.serve('client-b', { ip: '0.0.0.0', port: appPort }, (socket) => void socket.end('east'));
    const socket = await networks.connect('client-b', { ip: addressOf('client-b'), port: appPort });
    expect((await untilEnd(socket)).data.toString()).to.equal('east');
    expect(gateway.requests).to.deep.equal([]);
  });

  it('exchange 100 MiB each way at once, unchanged', async function () {
    this.timeout(120_000);
    const [up, down] = [randomChunks(), randomChunks()];
    const arrived = Promise.withResolvers<string>();
    await serve((socket) => {
      void pipeline(down.chunks(), socket);
      void digest(socket).then(arrived.resolve);
    });
    const socket = await networks.connect('client-a', { ip: vip, port: 80 });
    const [hash] = await Promise.all([digest(socket), pipeline(up.chunks(), socket, { end: true })]);
    expect(hash).to.equal(down.hash.digest('hex'));
    expect(await arrived.promise).to.equal(up.hash.digest('hex'));
    expect(await line('inbound')).to.include({ bytes_recv: size, bytes_sent: size });
  });

  it('let nothing across without the gateway', async () => {
    await serve((socket) => socket.end('reached'));
    push('east', [], [], [gate.uid]);
    expect(await ask('client-a', 'question')).to.equal('');
    expect(gateway.requests).to.deep.equal([]);
    expect(lines.find(({ message }) => message === 'connection failed'))
      .to.have.property('error')
      .that.includes('is not available');
  });

  it('keep calls within the caller’s network while it has an endpoint, and cross to the other when that is gone', async () => {
    await serve((socket, pod) => socket.end(pod).resume());
    await networks.serve('client-b', { ip: '0.0.0.0', port: appPort }, (socket) => void socket.end('client-b').resume());
    const near = { ...podIn('east', 'client-b'), services: podIn('west', 'server-a').services };
    push('east', [near], []);
    expect(await ask('client-b', 'question')).to.equal('client-b');
    push('east', [{ ...near, status: 'UNHEALTHY' }], []);
    expect(await ask('client-b', 'question')).to.equal('server-a');
  });
});

const size = 100 * 1024 * 1024;

/** 100 MiB that repeat after 1 MiB and a bit, and their hash. */
function randomChunks(): { readonly hash: Hash; readonly chunks: () => Iterable<Buffer> } {
  const block = randomBytes(1024 * 1024);
  const hash = createHash('sha256');
  return {
    hash,
    *chunks() {
      for (let sent = 0; sent < size; sent += block.length) {
        block.writeUInt32BE(sent, sent % 1000);
        const chunk = Buffer.from(block);
        hash.update(chunk);
        yield chunk;
      }
    },
  };
}

async function digest(socket: net.Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(socket, 'end');
  return hash.digest('hex');
}
