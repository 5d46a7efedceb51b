/**
 * Where what the proxy knows of the mesh comes from (l4-contract sections 3 and 12): its control plane, whole or on demand, or a
 * file that is read instead.
 *
 *   begin ─┬─ a file is named ─▶ read ───────────────────────────────┬─▶ synced
 *          ├─ a control plane is ─▶ subscribed ── everything known ──┘
 *          └─ neither: never synced, which the log tells
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { extraHeaders } from '@clearmesh/shared/discovery/node-metadata';
import { XdsClient } from '@clearmesh/shared/discovery/xds-client';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import type { Metrics } from './admin/metrics.ts';
import type { ZtunnelConfig } from './config.ts';
import { describeNode } from './discover/describe-node.ts';
import { OnDemandMesh } from './discover/on-demand-mesh.ts';
import { registerFreshness } from './local/freshness-gauge.ts';
import type { LocalConfiguration, LocalConfigurationOptions } from './local/local-configuration.ts';

export type MeshSourceDeps = {
  readonly metrics: Pick<Metrics, 'registry' | 'lookups' | 'xdsTerminated' | 'xdsReceived'>;
  readonly env: Environment;
  readonly log: { scope(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
};

type Origin =
  | { readonly kind: 'none' }
  | { readonly kind: 'control-plane'; readonly client: XdsClient }
  | { readonly kind: 'file'; readonly configuration: LocalConfiguration };

export class MeshSource implements AsyncDisposable {
  readonly store: SnapshotStore;
  /** `undefined` when the proxy subscribes to everything. */
  readonly onDemand: OnDemandMesh | undefined;
  readonly #config: ZtunnelConfig;
  readonly #deps: MeshSourceDeps;
  #origin: Origin = { kind: 'none' };

  constructor(config: ZtunnelConfig, deps: MeshSourceDeps) {
    this.#config = config;
    this.#deps = deps;
    this.store = new SnapshotStore({ clusterId: config.clusterId }, { clock: deps.clock, logger: deps.log.scope('xds') });
    this.onDemand = config.onDemand ? this.#askOnDemand() : undefined;
  }

  /**
   * Resolves once the file was read, or the control plane is being asked; rejects when the file cannot be used.
   *
   * @param onSynced called once, when the mesh is known
   */
  async begin(onSynced: () => void): Promise<void> {
    const { local, xds, clusterId } = this.#config;
    if (local !== undefined) {
      this.#origin = { kind: 'file', configuration: await this.#open({ source: local, clusterId }) };
      onSynced();
    } else if (xds !== undefined) {
      const client = this.#subscription(xds, onSynced);
      this.#origin = { kind: 'control-plane', client };
      client.start();
    } else {
      this.#deps.log.scope('ztunnel').warn('XDS_ADDRESS is empty: without a control plane no pod is served');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#origin.kind === 'control-plane') await this.#origin.client[Symbol.asyncDispose]();
    if (this.#origin.kind === 'file') this.#origin.configuration[Symbol.dispose]();
  }

  get #client(): XdsClient | undefined {
    return this.#origin.kind === 'control-plane' ? this.#origin.client : undefined;
  }

  async #open(options: LocalConfigurationOptions): Promise<LocalConfiguration> {
    const { clock, log, metrics } = this.#deps;
    // Loaded only here: YAML and schemas take memory that a node of a cluster has other use for.
    const { LocalConfiguration: Configuration } = await import('./local/local-configuration.ts');
    const onReading = registerFreshness(metrics.registry);
    return Configuration.open(options, { apply: (push) => this.store.apply(push), onReading, clock, logger: log.scope('xds') });
  }

  #subscription(xds: NonNullable<ZtunnelConfig['xds']>, onSynced: () => void): XdsClient {
    const { tls, authToken, clusterId } = this.#config;
    const { env, log, clock, random, metrics } = this.#deps;
    return new XdsClient(
      {
        remote: { ...xds, tls, authToken, clusterId, headers: extraHeaders('XDS_HEADER_', env) },
        node: describeNode(this.#config, env),
        onDemand: this.onDemand !== undefined,
      },
      {
        apply: (push) => (this.onDemand ?? this.store).apply(push),
        recvAnswered: (names) => this.onDemand?.recvAnswered(names),
        recvSynced: onSynced,
        metrics,
        clock,
        random,
        logger: log.scope('xds'),
      },
    );
  }

  #askOnDemand(): OnDemandMesh {
    const { clock, metrics } = this.#deps;
    return new OnDemandMesh(
      { clusterId: this.#config.clusterId },
      {
        store: this.store,
        subscription: {
          stateOf: (name) => this.#client?.stateOf(name),
          ask: (name) => this.#client?.ask(name) ?? false,
          assume: (name) => this.#client?.assume(name),
          giveUp: (name) => this.#client?.giveUp(name),
        },
        clock,
        metrics: metrics.lookups,
      },
    );
  }
}
