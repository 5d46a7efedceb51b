/** A server behind a waypoint: the client's and the server's proxy, the waypoint between them, and the application. */
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { service, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { Application } from './applications.ts';
import { MeshBed, clientSpec, serverIp, serverSpec } from './mesh-bed.ts';
import type { Side } from './mesh-bed.ts';
import { WaypointPeer } from './waypoint-peer.ts';

export const vip = '127.0.78.1';
const waypointService: Service = service({
  name: 'waypoint',
  addresses: [],
  ports: { 15008: 15008 },
});
export const gateway: GatewayAddress = {
  kind: 'hostname',
  namespace: 'bank',
  hostname: waypointService.hostname,
  hboneMtlsPort: 15_008,
};

export function waypointPod(index: number, spec: WorkloadSpec = {}): Workload {
  return workload({
    name: `waypoint-${index}`,
    serviceAccount: 'waypoint-sa',
    addresses: [`127.0.77.${10 + index}`],
    nativeTunnel: true,
    services: { [waypointService.key]: { 15008: 15008 } },
    ...spec,
  });
}

/** Most tests are of what never comes. */
const shortWaits = { waits: { maxMs: 50 } };

export class WaypointBed implements AsyncDisposable {
  readonly mesh: MeshBed;
  readonly app: Application;
  readonly waypoint: WaypointPeer;

  private constructor(mesh: MeshBed, app: Application, waypoint: WaypointPeer) {
    this.mesh = mesh;
    this.app = app;
    this.waypoint = waypoint;
    waypoint.endpoint = `${serverIp}:${app.port}`;
  }

  /** The server's service is bound to a waypoint of one workload. */
  static async create(limits: Parameters<typeof MeshBed.create>[0] = shortWaits): Promise<WaypointBed> {
    const mesh = await MeshBed.create(limits);
    const bed = new WaypointBed(mesh, await Application.echo(serverIp), new WaypointPeer(waypointPod(0), mesh));
    bed.push();
    return bed;
  }

  /** The server's service, of port 80. */
  service(spec: Partial<Service> = {}): Service {
    return { ...service({ addresses: [vip], ports: { 80: this.app.port } }), waypoint: gateway, ...spec };
  }

  /** The mesh anew, with changes to the server's service and workload. */
  push(changes: { readonly service?: Partial<Service>; readonly server?: WorkloadSpec } = {}, to?: readonly Side[]): void {
    const bound = this.service(changes.service);
    const objects = {
      services: [bound, waypointService],
      workloads: [
        workload(clientSpec),
        workload({ ...serverSpec, services: { [bound.key]: { 80: this.app.port } }, ...changes.server }),
        this.waypoint.workload,
      ],
    };
    this.mesh.push(objects, to);
  }

  /** The same without the waypoint: the server's service is bound to nobody. */
  unbind(to?: readonly Side[]): void {
    this.mesh.push({ services: [service({ addresses: [vip], ports: { 80: this.app.port } })] }, to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.waypoint[Symbol.asyncDispose]();
    await this.mesh[Symbol.asyncDispose]();
    await this.app[Symbol.asyncDispose]();
  }
}
