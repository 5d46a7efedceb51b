import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import type { DialOutcome, TunnelFailureFlag } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import { authorityOf } from '../../src/path/connect-request.ts';
import { RouteDialer } from '../../src/path/route-dialer.ts';
import type { NestedRoute, TunnelRoute } from '../../src/resolve/route.ts';
import { client, ledger, waypoint, waypointPod } from '../resolve/outbound-cases.ts';

const gateway: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15_008 };
const others = [1, 2, 3].map((index) => ({
  ...waypointPod,
  ...named(index),
  addresses: [socketAddress(`10.0.1.${index}:1`).ip],
}));
const drawn: TunnelRoute = {
  kind: 'tunnel',
  peer: socketAddress('10.0.0.9:15008'),
  authority: socketAddress('10.96.0.1:80'),
  acceptedPeers: [identity('bank', 'waypoint')],
  via: 'waypoint',
  gateway,
  service: ledger,
  destination: waypointPod,
};
const gate = (index: number) =>
  workload({
    name: `gate-${index}`,
    addresses: [`10.0.9.${index}`],
    services: { 'networks/gate.networks.svc.cluster.local': { 15008: 15008 } },
  });
const gateService = service({ name: 'gate', namespace: 'networks', ports: { 15008: 15008 }, addresses: [] });
const farLedger = {
  ...workload({ name: 'far', network: 'west', services: { [ledger.key]: { 80: 8080 } } }),
  networkGateway: { kind: 'hostname', namespace: 'networks', hostname: gateService.hostname, hboneMtlsPort: 15_008 },
} as const;
const farWaypoint = { ...waypointPod, ...named(7), network: 'west', networkGateway: farLedger.networkGateway };
const nearLedger = workload({ name: 'near', addresses: ['10.0.0.3'], services: { [ledger.key]: { 80: 8080 } } });
const global = { ...ledger, subjectAltNames: [identity('bank', 'ledger')] };
const intoWest: NestedRoute = {
  kind: 'nested',
  peer: socketAddress('10.0.9.1:15008'),
  authority: `${ledger.hostname}:80`,
  acceptedPeers: [identity('bank', 'default')],
  innerPeers: [identity('bank', 'ledger')],
  via: 'direct',
  networkGateway: gate(1),
  service: global,
  destination: farLedger,
};
const direct: TunnelRoute = { ...drawn, via: 'direct' };
const failure = (flag: TunnelFailureFlag, unsent?: boolean): DialOutcome => ({
  kind: 'failed',
  flag,
  error: new MeshError('MESH-HBONE-001', { message: 'no' }),
  ...(unsent === undefined ? {} : { unsent }),
});
const unreached = failure('CONNECT', true);
const refused: DialOutcome = { kind: 'refused', status: 503, peer: identity('bank', 'waypoint') };

function named(index: number): Pick<typeof waypointPod, 'uid' | 'name'> {
  const { uid, name } = workload({ name: `waypoint-${index}` });
  return { uid, name };
}

type Setting = {
  readonly route?: TunnelRoute | NestedRoute;
  readonly workloads?: readonly Workload[];
  readonly cut?: boolean;
  /** Endpoints that did not take the connection. */
  readonly exclude?: readonly Workload[];
};

/** Dials with these outcomes in turn; gives the addresses that were tried, and what came of it. */
async function tries(
  outcomes: readonly DialOutcome[],
  { route = drawn, workloads = others, cut = false, exclude = [] }: Setting = {},
): Promise<string> {
  const dialled: string[] = [];
  let retries = 0;
  const controller = new AbortController();
  const recv = (address: SocketAddress, { authority }: ConnectRequest, from = ''): Promise<DialOutcome> => {
    // An address means nothing in another network.
    expect(authority).to.equal(from === '' ? '10.96.0.1:80' : `${ledger.hostname}:80`);
    dialled.push(`${from}${from && '>'}${formatSocketAddress(address).split(':')[0] ?? ''}`);
    if (cut) controller.abort();
    return Promise.resolve(outcomes[dialled.length - 1] ?? refused);
  };
  const dialer = new RouteDialer(
    { network: 'east' },
    {
      nested: { dial: ({ outer, ownNetwork }, request) => recv(outer.address, request, ownNetwork) },
      dialer: {
        dial: ({ address }, request) => recv(address, request),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
      snapshots: storeOf({
        services: [global, { ...waypoint, subjectAltNames: [identity('bank', 'waypoint')] }, gateService],
        workloads: [client, waypointPod, ...workloads],
      }),
      random: new FakeRandom([0]),
      lookUp: () => Promise.resolve([socketAddress('10.0.2.2:1').ip]),
      log: silentLogger,
      metrics: { gatewayRetried: () => void retries++, nameLookedUp: () => {} },
    },
  );
  const captured = { source: client, client: socketAddress('10.0.0.1:4000'), originalDestination: socketAddress('10.96.0.1:80') };
  const connection = {
    signal: controller.signal,
    cut: () => {},
    joined: () => {},
    carries: () => {},
    [Symbol.dispose]: () => {},
  };
  const dialling = { captured, connection, exclude: new Set(exclude.map(({ uid }) => uid)) };
  const requestOf = (way: TunnelRoute | NestedRoute): ConnectRequest => ({ authority: authorityOf(way), headers: {} });
  const { outcome } = await dialer.dial(route, dialling, requestOf);
  expect(retries).to.equal(dialled.length - 1);
  return `${dialled.join(' ')}: ${outcome.kind}`;
}

describe('RouteDialer', () => {
  const table: readonly { title: string; outcomes: readonly DialOutcome[]; setting?: Setting; gives: string }[] = [
    {
      title: 'goes to another workload of a waypoint that was not reached',
      outcomes: [unreached],
      gives: '10.0.0.9 10.0.1.1: refused',
    },
    { title: 'goes to a third one', outcomes: [unreached, unreached], gives: '10.0.0.9 10.0.1.1 10.0.1.2: refused' },
    { title: 'goes to no fourth one', outcomes: [unreached, unreached, unreached], gives: '10.0.0.9 10.0.1.1 10.0.1.2: failed' },
    {
      title: 'goes on after a handshake that failed',
      outcomes: [failure('TLS_FAILURE', true)],
      gives: '10.0.0.9 10.0.1.1: refused',
    },
    { title: 'takes an answer as it is', outcomes: [refused], gives: '10.0.0.9: refused' },
    {
      title: 'does not repeat a request that went out',
      outcomes: [failure('H2_HANDSHAKE_FAILURE', false)],
      gives: '10.0.0.9: failed',
    },
    { title: 'does not repeat what may have gone out', outcomes: [failure('CONNECT')], gives: '10.0.0.9: failed' },
    { title: 'goes nowhere without a certificate', outcomes: [failure('IDENTITY_ERROR', true)], gives: '10.0.0.9: failed' },
    {
      title: 'goes nowhere for a connection that was cut',
      outcomes: [unreached],
      setting: { cut: true },
      gives: '10.0.0.9: failed',
    },
    {
      title: 'stays with the endpoint of a direct tunnel',
      outcomes: [unreached],
      setting: { route: direct },
      gives: '10.0.0.9: failed',
    },
    { title: 'gives up when there is no other', outcomes: [unreached], setting: { workloads: [] }, gives: '10.0.0.9: failed' },
    {
      title: 'passes over those that are not ready',
      outcomes: [unreached],
      setting: { workloads: others.map((each, index) => (index === 0 ? { ...each, status: 'UNHEALTHY' as const } : each)) },
      gives: '10.0.0.9 10.0.1.2: refused',
    },
    {
      title: 'looks up another that has a name only',
      outcomes: [unreached],
      setting: { workloads: [{ ...waypointPod, ...named(5), addresses: [], hostname: 'wp.example' }] },
      gives: '10.0.0.9 10.0.2.2: refused',
    },
    {
      title: 'asks a waypoint of another network by name, when one near by was not reached',
      outcomes: [unreached],
      setting: { workloads: [farWaypoint, gate(1)] },
      gives: '10.0.0.9 east>10.0.9.1: refused',
    },
    {
      title: 'goes to another gateway of a network when one was not reached, and tells each the own network',
      outcomes: [unreached],
      setting: { route: intoWest, workloads: [farLedger, gate(1), gate(2)] },
      gives: 'east>10.0.9.1 east>10.0.9.2: refused',
    },
    {
      title: 'does not go to another gateway for what the far end did',
      outcomes: [failure('TLS_FAILURE')],
      setting: { route: intoWest, workloads: [farLedger, gate(1), gate(2)] },
      gives: 'east>10.0.9.1: failed',
    },
    {
      title: 'goes to another gateway although an endpoint near by is there, when that one did not take the connection',
      outcomes: [unreached],
      setting: { route: intoWest, workloads: [nearLedger, farLedger, gate(1), gate(2)], exclude: [nearLedger] },
      gives: 'east>10.0.9.1 east>10.0.9.2: refused',
    },
    {
      title: 'gives up when every gateway was tried',
      outcomes: [unreached, unreached],
      setting: { route: intoWest, workloads: [farLedger, gate(1), gate(2)] },
      gives: 'east>10.0.9.1 east>10.0.9.2: failed',
    },
  ];
  for (const { title, outcomes, setting, gives } of table) {
    it(title, async () => expect(await tries(outcomes, setting)).to.equal(gives));
  }
});
