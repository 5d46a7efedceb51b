/** Captured pods with the data plane of their node, both of them known to it: what tests of whole connections begin with. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { createLogger } from '@clearmesh/shared/observe/log';
import { FilteredLog, parseLogFilter } from '@clearmesh/shared/observe/log-filter';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { workload } from '@clearmesh/shared/testing/builders';
import { FramedEngine } from '@clearmesh/shared/tunnel/framed-engine';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { Metrics } from '../src/admin/metrics.ts';
import { LocalIdentities } from '../src/capture/local-identities.ts';
import { readConfig } from '../src/config.ts';
import { DataPlane } from '../src/data-plane.ts';
import { CapturedPods, podIp6s, podIps } from './captured-pods.ts';
import { bounded } from './path/applications.ts';

export type CapturedMeshOptions = {
  /** Of IP. @default 4 */
  readonly version?: 4 | 6;
  /** Whether the pods’ kernel has IPv6 at all. @default true */
  readonly ipv6?: boolean;
  /** Of the proxy. */
  readonly env?: Readonly<Record<string, string>>;
};

type LogLine = Readonly<Record<string, unknown>>;

export class CapturedMesh implements AsyncDisposable {
  readonly pods: CapturedPods;
  readonly ips: Readonly<Record<'client' | 'server' | 'outside', string>>;
  readonly client: Workload;
  readonly server: Workload;
  readonly plane: DataPlane;
  readonly #store: SnapshotStore;
  readonly #metrics = new Metrics({ version: 'test' }, { clock: systemClock });
  readonly #lines: LogLine[] = [];
  #wake: () => void = () => {};

  private constructor({ version = 4, ipv6 = true, env = {} }: CapturedMeshOptions, certificates: TestCertificates) {
    this.ips = version === 4 ? podIps : podIp6s;
    this.client = workload({ name: 'client', serviceAccount: 'client-sa', addresses: [this.ips.client] });
    this.server = workload({ name: 'server', serviceAccount: 'server-sa', addresses: [this.ips.server] });
    const write = (text: string): void => {
      this.#lines.push(JSON.parse(text) as LogLine);
      this.#wake();
    };
    const sink = createLogger('ztunnel', { format: 'json', level: 'debug', write });
    const log = new FilteredLog(parseLogFilter('info')!, { sink });
    this.#store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock: systemClock, logger: log.scope('xds') });
    this.push([this.client, this.server]);
    this.pods = new CapturedPods({ version, ipv6 });
    this.plane = new DataPlane(readConfig({ NODE_NAME: 'node-a', ENABLE_ORIG_SRC: 'true', ...env }), {
      store: this.#store,
      certificates,
      identities: new LocalIdentities({ node: 'node-a' }, { want: () => {}, forget: () => {} }),
      engine: new FramedEngine({ clock: systemClock }),
      metrics: this.#metrics,
      log,
      clock: systemClock,
      nameservers: [],
      random: systemRandom,
      onPods: () => {},
    });
  }

  /** Both pods are served. */
  static async start(options: CapturedMeshOptions = {}): Promise<CapturedMesh> {
    const mesh = new CapturedMesh(options, await TestCertificates.create());
    for (const role of ['client', 'server'] as const) {
      const info = { name: role, namespace: 'bank', serviceAccount: `${role}-sa` };
      const failure = mesh.plane.pods.add({ uid: role, info, namespace: mesh.pods.handle(role) });
      if (failure === undefined) continue;
      await mesh[Symbol.asyncDispose]();
      throw new Error(failure);
    }
    return mesh;
  }

  /** What a control plane would send. */
  push(workloads: readonly Workload[], services: readonly Service[] = []): void {
    const upserts = [
      ...workloads.map((each) => ({ name: each.uid, version: '1', value: encodeWorkload(each) })),
      ...services.map((each) => ({ name: each.key, version: '1', value: encodeService(each) })),
    ];
    this.#store.apply({ typeUrl: ADDRESS_TYPE_URL, removed: [], upserts });
    this.#store.apply({ typeUrl: AUTHORIZATION_TYPE_URL, removed: [], upserts: [] });
  }

  /** The line of a connection's end. */
  async complete(direction: 'inbound' | 'outbound'): Promise<LogLine> {
    for (;;) {
      const found = this.#lines.find((each) => each['message'] === 'connection complete' && each['direction'] === direction);
      if (found !== undefined) return found;
      await bounded(new Promise<void>((resolve) => (this.#wake = resolve)), `an ${direction} connection's end`);
    }
  }

  /** Who has counted connections, how they were secured, and how many. */
  async opened(): Promise<readonly string[]> {
    const series = /^istio_tcp_connections_opened_total\{reporter="(\w+)".*connection_security_policy="(\w+)".*\} (\d+)$/gm;
    return [...(await this.#metrics.registry.metrics()).matchAll(series)].map((found) => found.slice(1).join(' ')).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.plane[Symbol.dispose]();
    await this.pods[Symbol.asyncDispose]();
  }
}

/** An address as it stands in a URL or with a port. */
export function bracketed(ip: IpAddress | string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}
