import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { createLogger } from '@clearmesh/shared/observe/log';
import { WaypointDeployer } from '../../src/deploy/waypoint-deployer.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { collect } from '../../src/manifest/collections.ts';
import { gateway } from '../fixtures/gateways.ts';
import { waypointOptions } from '../fixtures/waypoint-options.ts';
import { startWritablePeer, writes } from '../fixtures/writable-peer.ts';
import type { LeaderRun } from '../../src/lead/leader-task.ts';
import type { GatewayManifest } from '../../src/manifest/gateway.ts';
import type { Configured } from '../../src/report/report.ts';
import type { ApiPeer } from '../fixtures/api-peer.ts';

const deployments = '/apis/apps/v1/deployments';
const services = '/api/v1/services';
const accounts = '/api/v1/serviceaccounts';
const budgets = '/apis/policy/v1/poddisruptionbudgets';
const configMaps = '/api/v1/configmaps';
const ledgerMaps = '/api/v1/namespaces/ledger/configmaps';
const rootMaps = '/api/v1/namespaces/clearmesh-system/configmaps';
const classes = '/apis/gateway.networking.k8s.io/v1/gatewayclasses';
const gateways = '/apis/gateway.networking.k8s.io/v1/gateways';
const all = [
  deployments,
  services,
  accounts,
  budgets,
  '/apis/autoscaling/v2/horizontalpodautoscalers',
  configMaps,
  ledgerMaps,
  rootMaps,
  classes,
  gateways,
];
const marked = { 'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller', 'gateway.networking.k8s.io/gateway-name': 'gate' };

let peer: ApiPeer;
let api: ApiClient;
let stop: AbortController;
let run: LeaderRun;
let invalid: ReadonlyMap<string, string>;
let lines: string[];

function lead(options: { readonly namespaces?: ReadonlySet<string>; readonly classGraceMs?: number } = {}): void {
  const logger = createLogger('test', { write: (line) => void lines.push(line) });
  const task = new WaypointDeployer({
    waypoints: waypointOptions,
    rootNamespace: 'clearmesh-system',
    revision: 'default',
    classGraceMs: 0,
    ...options,
  });
  task.onInvalidParameters((told) => (invalid = told));
  run = task.lead({ api, signal: stop.signal, clock: systemClock, random: systemRandom, logger });
}

function configure(...list: readonly GatewayManifest[]): void {
  for (const each of list) peer.put(gateways, each);
  const collections = collect(list.map((value) => ({ kind: 'Gateway', value })));
  run.onConfiguration?.({ collections } as Configured);
}

const made = (name = 'gate'): Promise<void> =>
  peer.until(
    () => [deployments, services, accounts].every((each) => peer.get(each, `ledger/${name}`) !== undefined),
    `${name} made`,
  );

describe('WaypointDeployer', () => {
  beforeEach(async () => {
    peer = await startWritablePeer(all);
    api = new ApiClient({}, { kubeConfig: peer.kubeConfig, clock: systemClock });
    stop = new AbortController();
    invalid = new Map();
    lines = [];
  });

  afterEach(async () => {
    stop.abort();
    await run[Symbol.asyncDispose]();
    api[Symbol.dispose]();
    await peer[Symbol.asyncDispose]();
  });

  it('leaves missing classes to the chart for a while', async () => {
    peer.put(classes, { metadata: { name: 'istio-waypoint' }, spec: { controllerName: 'clearmesh.io/mesh-controller' } });
    lead({ classGraceMs: 60_000 });
    await peer.until(() => peer.get(classes, 'istio-waypoint')?.['status'] !== undefined, 'class accepted');
    peer.put(classes, { metadata: { name: 'clearmesh-waypoint' }, spec: { controllerName: 'clearmesh.io/mesh-controller' } });
    await peer.until(() => peer.get(classes, 'clearmesh-waypoint')?.['status'] !== undefined, 'class of the chart accepted');
    expect(writes(peer).filter((line) => line.startsWith('POST'))).to.deep.equal([]);
  });

  it('makes the classes that are missing, and says that they are accepted', async () => {
    peer.put(classes, { metadata: { name: 'istio-waypoint' }, spec: { controllerName: 'clearmesh.io/mesh-controller' } });
    lead();
    const accepted = (name: string): boolean => peer.get(classes, name)?.['status'] !== undefined;
    await peer.until(() => accepted('clearmesh-waypoint') && accepted('istio-waypoint'), 'classes accepted');
    expect(writes(peer).filter((line) => line.startsWith('POST'))).to.deep.equal([`POST ${classes}`]);
    expect(peer.get(classes, 'clearmesh-waypoint')?.['spec']).to.have.property('controllerName', 'clearmesh.io/mesh-controller');
  });

  it('makes what a Gateway needs, with one field manager, and nothing twice', async () => {
    lead();
    configure(gateway('gate'));
    await made();
    configure(gateway('gate'));
    configure(gateway('gate'), gateway('second'));
    await made('second');
    const patches = peer.calls.filter(({ method, path }) => method === 'PATCH' && !path.includes('gatewayclasses'));
    expect(patches.map(({ path }) => path.split('/').slice(-3).join('/'))).to.have.length(6);
    expect(new Set(patches.map(({ query }) => `${query.get('fieldManager')} ${query.get('force')}`))).to.deep.equal(
      new Set(['clearmesh-waypoint-deployer true']),
    );
  });

  it('leaves alone what is not ours, names it, and makes the rest', async () => {
    peer.put(services, { metadata: { name: 'gate', namespace: 'ledger', labels: { owner: 'somebody' } }, spec: { ports: [] } });
    lead();
    configure(gateway('gate'));
    await peer.until(() => peer.get(deployments, 'ledger/gate') !== undefined, 'deployment made');
    await peer.until(() => lines.some((line) => line.includes('not ours') && line.includes('Service ledger/gate')), 'named');
    expect(peer.get(services, 'ledger/gate')?.metadata['labels']).to.deep.equal({ owner: 'somebody' });
  });

  it('mends what others change, and makes what others remove', async () => {
    lead();
    configure(gateway('gate'));
    await made();
    const service = peer.get(services, 'ledger/gate')!;
    peer.put(services, { ...service, spec: { selector: { app: 'other' } } });
    await peer.until(() => JSON.stringify(peer.get(services, 'ledger/gate')?.['spec']).includes('hbone'), 'mended');
    peer.remove(deployments, 'ledger/gate');
    await made();
  });

  it('makes nothing again that goes with its Gateway', async () => {
    lead();
    configure(gateway('gate'));
    await made();
    peer.remove(gateways, 'ledger/gate');
    const before = writes(peer).length;
    for (const each of [deployments, services, accounts]) peer.remove(each, 'ledger/gate');
    await peer.until(() => peer.calls.some(({ method, path }) => method === 'GET' && path.endsWith('/gateways/gate')), 'looked');
    run.onConfiguration?.({ collections: collect([]) } as unknown as Configured);
    configure(gateway('second'));
    await made('second');
    expect(
      writes(peer)
        .slice(before)
        .filter((line) => line.endsWith('/gate')),
    ).to.deep.equal([]);
  });

  it('stops fighting another writer after five times, and says so', async () => {
    lead();
    configure(gateway('gate'));
    await made();
    const contested = (): boolean => lines.some((line) => line.includes('another writer') && line.includes('Service'));
    for (let count = 0; count < 8 && !contested(); count++) {
      const sent = writes(peer).filter((line) => line.endsWith('/services/gate')).length;
      const service = peer.get(services, 'ledger/gate')!;
      peer.put(services, { ...service, spec: { selector: { count: String(count) } } });
      await peer.until(
        () => contested() || writes(peer).filter((line) => line.endsWith('/services/gate')).length > sent,
        `round ${count}`,
      );
    }
    expect(contested()).to.equal(true);
  });

  it('removes a disruption budget that nobody asks for any more', async () => {
    lead();
    configure(gateway('gate', { annotations: { 'clearmesh.io/replicas': '2' } }));
    await peer.until(() => peer.get(budgets, 'ledger/gate') !== undefined, 'made');
    configure(gateway('gate'));
    await peer.until(() => peer.get(budgets, 'ledger/gate') === undefined, 'removed');
    const call = peer.calls.find(({ method }) => method === 'DELETE');
    expect(call?.body).to.have.nested.property('preconditions.uid', 'uid-of-gate');
  });

  it('waits for the ConfigMap that a Gateway names, and follows it', async () => {
    const infrastructure = `parametersRef: { group: '', kind: ConfigMap, name: options }`;
    lead();
    configure(gateway('gate', { infrastructure }));
    await peer.until(() => invalid.has('ledger/gate'), 'told');
    expect(invalid.get('ledger/gate')).to.include('ledger/options');
    expect(peer.get(deployments, 'ledger/gate')).to.equal(undefined);
    const options = { name: 'options', namespace: 'ledger' };
    peer.put(ledgerMaps, { metadata: options, data: { deployment: 'spec: { replicas: 4 }', other: 'not read' } });
    await made();
    expect(invalid.size).to.equal(0);
    peer.put(ledgerMaps, { metadata: options, data: { deployment: 'spec: { replicas: 5 }' } });
    await peer.until(() => JSON.stringify(peer.get(deployments, 'ledger/gate')).includes('"replicas":5'), 'followed');
    peer.put(ledgerMaps, { metadata: options, data: { deployment: 'spec: { selector: { a: b } }' } });
    await peer.until(() => invalid.has('ledger/gate'), 'refused');
    expect(JSON.stringify(peer.get(deployments, 'ledger/gate')), 'what runs keeps running').to.include('"replicas":5');
  });

  it('makes nothing for a class that another controller claims', async () => {
    peer.put(classes, { metadata: { name: 'istio-waypoint' }, spec: { controllerName: 'istio.io/mesh-controller' } });
    lead();
    configure(gateway('theirs', { className: 'istio-waypoint' }), gateway('gate'));
    await made();
    expect(peer.get(deployments, 'ledger/theirs')).to.equal(undefined);
    expect(
      lines.filter((line) => line.includes('another controller')),
      lines.join('\n'),
    ).to.have.length(1);
  });

  it('makes nothing where it may not', async () => {
    lead({ namespaces: new Set(['ledger']) });
    configure(gateway('gate', { namespace: 'cards' }), gateway('gate'));
    await made();
    expect(writes(peer).filter((line) => line.includes('/cards/'))).to.deep.equal([]);
  });

  it('tries again what failed, and writes nothing once it leads no more', async () => {
    peer.next('PATCH /apis/apps/v1/namespaces/ledger/deployments/gate', (response) => void response.writeHead(500).end());
    lead();
    configure(gateway('gate'));
    await made();
    stop.abort();
    const before = writes(peer).length;
    configure(gateway('late'));
    await run[Symbol.asyncDispose]();
    expect(writes(peer).length).to.equal(before);
    expect(peer.openWatches).to.equal(0);
  });

  it('keeps what stands without a mark of its Gateway out of sight', async () => {
    peer.put(budgets, {
      metadata: { name: 'other', namespace: 'ledger', labels: { ...marked, 'gateway.networking.k8s.io/gateway-name': 'second' } },
    });
    lead();
    configure(gateway('gate'));
    await made();
    expect(peer.get(budgets, 'ledger/other')).not.to.equal(undefined);
  });
});
