/**
 * The node agent without a process around it: what it is made of, and the order it starts and ends in.
 *
 *   start: the node's rules ─▶ sockets of plugin and ztunnel ─▶ Kubernetes API ── pods known ──▶ all captured or tried ─▶ snapshot
 *   end:   sockets close, work stops; rules, plugin and captured pods stay as they are, unless the DaemonSet is gone
 *
 * G1  ztunnel drops what the first snapshot lacks, so it may connect from the start and waits until the pods that run have been found.
 */
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { Condition } from '@clearmesh/shared/admin/condition';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';
import type { Logger } from '@clearmesh/shared/observe/log';
import { NodePods } from './capture/node-pods.ts';
import type { NodePodsOptions } from './capture/node-pods.ts';
import { HandoverServer } from './handover/handover-server.ts';
import { AgentMetrics } from './health/agent-metrics.ts';
import { startHealthServer } from './health/health-server.ts';
import type { StatusDeps } from './health/status.ts';
import { Installation } from './install/installation.ts';
import type { InstallationOptions } from './install/installation.ts';
import { NamespaceFinder } from './locate/namespace-finder.ts';
import { nodeRules } from './node-rules.ts';
import type { NodeRules, NodeRulesOptions } from './node-rules.ts';
import { PluginServer } from './serve/plugin-server.ts';
import { PluginService } from './serve/plugin-service.ts';
import { followNode } from './watch/follow-node.ts';
import type { KubeApi } from './watch/kube-api.ts';

export type AgentOptions = NodeRulesOptions &
  NodePodsOptions &
  InstallationOptions & {
    readonly node: string;
    /** The host's /proc. */
    readonly procPath: string;
    readonly handoverSocket: string;
    /** 0 lets the kernel choose. */
    readonly healthPort: number;
  };

export type AgentDeps = { readonly api: KubeApi; readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** What the node is, besides its pods: its namespace, and what makes rules on it. */
type Host = NodeRules & { readonly namespace: NetworkNamespace };

/** Time to take the node's rules away, milliseconds. */
const leaveMs = 5_000;

export class NodeAgent {
  readonly #options: AgentOptions;
  readonly #deps: AgentDeps;
  readonly #host: Host;
  readonly #finder: NamespaceFinder;
  readonly #readiness = new Readiness();
  /** For metrics and status. */
  readonly #counting: StatusDeps = {
    counts: () => this.#pods.captures.counts,
    countOlder: () => this.#pods.captures.countOlder(),
  };
  readonly #conditions: Readonly<Record<'api' | 'pods' | 'plugin', Condition>>;
  readonly #metrics: AgentMetrics;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #pods: NodePods;
  readonly #handover: HandoverServer;
  readonly #installation: Installation;
  #servers: readonly AsyncDisposable[] = [];

  private constructor(options: AgentOptions, deps: AgentDeps, host: Host) {
    this.#options = options;
    this.#deps = deps;
    this.#host = host;
    this.#finder = new NamespaceFinder({ procPath: options.procPath });
    const readiness = this.#readiness;
    this.#conditions = {
      api: new Condition('pods and namespaces have not been read from the Kubernetes API', { readiness }),
      pods: new Condition('the pods that run have not been looked at', { readiness }),
      plugin: new Condition('the plugin is not in the network configuration yet', { readiness }),
    };
    this.#pods = this.#makePods();
    this.#handover = this.#holdHandover();
    this.#installation = this.#makeInstallation();
    this.#metrics = new AgentMetrics({
      ...this.#counting,
      isLive: () => this.#pods.view.live,
      proxies: () => this.#handover.proxies,
      isInstalled: () => this.#installation.isInstalled,
    });
  }

  /** Starts everything; resolves once the plugin can call. Rejects when the node cannot serve at all. */
  static async start(options: AgentOptions, deps: AgentDeps, signal: AbortSignal): Promise<NodeAgent> {
    const namespace = NetworkNamespace.current();
    try {
      const rules = await nodeRules(options, { host: namespace, logger: deps.logger.scope('rules') }, signal);
      await rules.probes.install(signal);
      const agent = new NodeAgent(options, deps, { namespace, ...rules });
      await agent.#serve().catch(async (error: unknown) => {
        await agent.#close();
        throw error;
      });
      agent.#follow();
      return agent;
    } catch (error) {
      namespace[Symbol.dispose]();
      throw error;
    }
  }

  /** Where health is served. */
  get healthAddress(): HttpEndpoint['addresses'][number] | undefined {
    return this.#servers.find((server): server is HttpEndpoint => 'addresses' in server)?.addresses[0];
  }

  /** Ends; the pods stay as they are. When the DaemonSet is gone, the plugin and the node's rules go too. */
  async end(): Promise<void> {
    const { logger } = this.#deps;
    const isLast = await this.#installation.isOver();
    await this.#close();
    if (isLast) await this.#leave();
    this.#host.namespace[Symbol.dispose]();
    logger.info('stopped', { uninstalled: isLast });
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
    await Promise.all([this.#pods[Symbol.asyncDispose](), ...this.#running]);
    await this.#handover[Symbol.asyncDispose]();
  }

  async #leave(): Promise<void> {
    const { logger } = this.#deps;
    try {
      await this.#installation.remove();
      await this.#host.probes.uninstall(AbortSignal.timeout(leaveMs));
    } catch (error) {
      logger.error('the node is not as it was before: run clearmesh-node-agent uninstall on it', { error: String(error) });
    }
    const { captured } = this.#pods.captures.counts;
    if (captured > 0)
      logger.warn('pods stay closed to all but the mesh: restart them, or unlabel before the mesh is removed', { captured });
  }

  #makePods(): NodePods {
    const { redirector, probes } = this.#host;
    return new NodePods(this.#options, {
      ...this.#deps,
      finder: this.#finder,
      redirector,
      probes,
      handover: { addPod: (pod) => this.#handover.addPod(pod), removePod: (uid) => this.#handover.removePod(uid) },
      onEvent: (event) => this.#metrics.recvCapture(event),
      onSynced: () => this.#conditions.api.set(undefined),
      onTried: () => this.#recvTried(),
    });
  }

  #holdHandover(): HandoverServer {
    const { clock, logger } = this.#deps;
    return HandoverServer.hold(
      { path: this.#options.handoverSocket },
      {
        clock,
        logger: logger.scope('zds'),
        onOutcome: (uid, { kind }) => kind === 'acked' && this.#pods.captures.rouse(uid),
        undelivered: () => this.#pods.captures.undelivered,
      },
    );
  }

  #makeInstallation(): Installation {
    return new Installation(this.#options, {
      ...this.#deps,
      logger: this.#deps.logger.scope('install'),
      onState: (problem) => this.#conditions.plugin.set(problem),
      onWrite: () => this.#metrics.recvWrite(),
    });
  }

  async #serve(): Promise<void> {
    const { clock, logger, api } = this.#deps;
    const pods = this.#pods;
    const service = new PluginService(this.#options, {
      view: pods.view,
      api,
      captures: pods.captures,
      finder: this.#finder,
      redirector: this.#host.redirector,
      redirectionOf: (pod) => pods.redirectionOf(pod),
      clock,
      logger: logger.scope('plugin'),
    });
    const onCall = (command: string, result: string): void => this.#metrics.recvCall(command, result);
    const path = this.#options.pluginSocket;
    const plugin = await PluginServer.listen({ path }, { service, onCall, clock, logger: logger.scope('plugin') });
    this.#servers = [plugin];
    const address = { ips: [wildcardAddress({ ipv6: true })], port: this.#options.healthPort };
    const health = { readiness: this.#readiness, metrics: this.#metrics, status: this.#counting, logger: logger.scope('health') };
    this.#servers = [plugin, await startHealthServer(address, health)];
  }

  #follow(): void {
    const { signal } = this.#stop;
    const { clock, random, logger, api } = this.#deps;
    const deps = { view: this.#pods.view, api, clock, random, logger: logger.scope('kubernetes') };
    const following = followNode(this.#options.node, deps, signal);
    this.#running.push(following, this.#installation.run(signal), this.#pods.verify(signal));
  }

  /** G1. */
  #recvTried(): void {
    if (this.#stop.signal.aborted) return;
    this.#deps.logger.info('pods that run have been looked at', { ...this.#pods.captures.counts });
    this.#handover.open();
    this.#conditions.pods.set(undefined);
    this.#running.push(this.#settleProbes());
  }

  async #settleProbes(): Promise<void> {
    const { signal } = this.#stop;
    await this.#host.probes.settle(signal).catch((error: unknown) => {
      const what = 'addresses of pods that went, and rules of another program, may still let pass';
      if (!signal.aborted) this.#deps.logger.error(what, { error: String(error) });
    });
  }
}
