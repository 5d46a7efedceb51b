/**
 * The waypoint's whole data plane over plain TCP: each connection is taken as an accepted CONNECT to the one service of
 * plain-world.ts, and goes the way of every tunnel stream. Missing are TLS and HTTP/2 frames only; nothing else is
 * different, nor left out.
 *
 * Arguments: LISTEN_PORT UPSTREAM_URL [OPA_POLICY_JSON]. The access log goes to /dev/null.
 */
import { openSync } from 'node:fs';
import net from 'node:net';
import { systemClock as clock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom as random } from '@clearmesh/shared/lifecycle/random';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { addressPush } from '@clearmesh/shared/testing/pushes';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import type { Rejection } from '@clearmesh/shared/subscribe/delta-push';
import { createEngine } from '@clearmesh/shared/tunnel/engine-choice';
import { WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeWaypointConfiguration, waypointResourceName } from '@clearmesh/shared/wire/waypoint-configuration';
import { readConfig } from '@clearmesh/waypoint/config';
import { DataPlane } from '@clearmesh/waypoint/data-plane';
import { LineWriter, descriptorSink } from '@clearmesh/waypoint/telemetry/access/line-writer';
import { WaypointMetrics } from '@clearmesh/waypoint/telemetry/metrics/waypoint-metrics';
import { plainEnvironment, plainWorld } from './plain-world.ts';
import type { PlainWorld } from './plain-world.ts';

const [port = '', upstream = '', opa] = process.argv.slice(2);

async function openDataPlane(world: PlainWorld): Promise<DataPlane> {
  const snapshots = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock, logger: silentLogger });
  accepted(snapshots.apply(addressPush(world)));
  const config = readConfig(plainEnvironment);
  const { namespace } = config.gateway;
  const lines = new LineWriter({}, { sink: descriptorSink(openSync('/dev/null', 'w')), clock });
  const plane = await DataPlane.open(config, {
    identity: spiffeId({ trustDomain: config.trustDomain, namespace, serviceAccount: config.serviceAccount }),
    // Never used: no endpoint of the bench is in the mesh.
    engine: createEngine(config.tunnelEngine, { clock }),
    snapshots,
    certificates: { get: () => Promise.reject(new Error('no endpoint of the bench is in the mesh')) },
    metrics: new WaypointMetrics({ version: 'bench' }, { clock }),
    log: { scope: () => ({ ...silentLogger, warn: console.error, error: console.error }) },
    clock,
    random,
    writeAccessLine: (line) => lines.write(line),
  });
  const name = waypointResourceName(config.gateway);
  const value = encodeWaypointConfiguration(world.configuration);
  const typeUrl = WAYPOINT_CONFIGURATION_TYPE_URL;
  accepted(plane.applyConfiguration({ typeUrl, removed: [], upserts: [{ name, version: '1', value }] }));
  return plane;
}

function accepted(rejections: readonly Rejection[]): void {
  if (rejections.length > 0) throw new Error(rejections.map(({ name, reason }) => `${name}: ${reason}`).join('; '));
}

const { hostname, port: upstreamPort } = new URL(upstream);
const policy = opa === undefined ? undefined : (JSON.parse(opa) as OpaPolicy);
const world = plainWorld(socketAddress(`${hostname}:${upstreamPort}`), policy);
const plane = await openDataPlane(world);
const gone = new AbortController().signal;
net
  .createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const refuse = (): void => void socket.destroy();
    const { authority, peer } = world;
    plane.recvConnect({ method: 'CONNECT', authority, headers: {}, gone, accept: () => socket, refuse }, peer);
  })
  .listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
