/**
 * The node agent without a process around it: what it is made of, and the order it starts and ends in.
 *
 *   start: the node's rules ─▶ sockets of plugin and ztunnel ─▶ Kubernetes API ── pods known ──▶ all captured or tried ─▶ snapshot
 *   end:   sockets close, work stops; rules, plugin and captured pods stay as they are, unless the DaemonSet is gone
 *
 * G1  ztunnel drops what the first snapshot lacks, so it may connect from the start and waits until the pods that run have been found.
 * G2  what an annotation says is not believed: after a start every enrolled pod's rules are looked at, made where they lack, and
 *     replaced where they are others than this version's.
 */
import { existsSync } from 'node:fs';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { Condition } from '@clearmesh/shared/admin/condition';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import type { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { CaptureDeps } from './capture/capture-state.ts';
import { Captures } from './capture/captures.ts';
import { podConnections } from './capture/pod-connections.ts';
import { PodRedirections } from './capture/pod-redirections.ts';
import { decideEnrolment } from './enrol/enrolment.ts';
import { HandoverServer } from './handover/handover-server.ts';
import { AgentMetrics } from './health/agent-metrics.ts';
import { startHealthServer } from './health/health-server.ts';
import type { StatusDeps } from './health/status.ts';
import { Installer, uninstall } from './install/installer.ts';
import { NamespaceFinder } from './locate/namespace-finder.ts';
import type { HostProbes } from './probe/host-probes.ts';
import { nodeRules } from './node-rules.ts';
import type { NodeRulesOptions } from './node-rules.ts';
import type { Redirector } from './redirect/redirector.ts';
import { PluginServer } from './serve/plugin-server.ts';
import { PluginService } from './serve/plugin-service.ts';
import { Annotator } from './watch/annotator.ts';
import type { KubeApi } from './watch/kube-api.ts';
import { NodeView } from './watch/node-view.ts';
import type { PodInNamespace } from './watch/node-view.ts';
import { OwnDaemonSet } from './watch/own-daemon-set.ts';
import type { NodePod } from './watch/pod-object.ts';
import { Reflector } from './watch/reflector.ts';

export type AgentOptions = NodeRulesOptions & {
  readonly node: string;
  /** Where the mesh itself lives. */
  readonly systemNamespace: string;
  readonly daemonSet: string;
  readonly excludedNamespaces: readonly string[];
  /** The host's /proc. */
  readonly procPath: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** '' for the first. */
  readonly cniConfName: string;
  readonly pluginBinary: string;
  readonly pluginSocket: string;
  readonly handoverSocket: string;
  /** 0 lets the kernel choose. */
  readonly healthPort: number;
  /** Whether pods that say nothing about it ask ztunnel for names, which must have its DNS proxy on. */
  readonly dnsCapture: boolean;
  /** Between two looks at the rules of captured pods, milliseconds. */
  readonly verifyMs: number;
  /** How long others have to learn that a running pod joins or leaves, milliseconds. */
  readonly settleMs: number;
};

export type AgentDeps = { readonly api: KubeApi; readonly clock: Clock; readonly random: Random; readonly logger: Logger };

export class NodeAgent {
  readonly #options: AgentOptions;
  readonly #deps: AgentDeps;
  readonly #host: NetworkNamespace;
  readonly #probes: HostProbes;
  readonly #redirector: Redirector;
  readonly #redirections: PodRedirections;
  readonly #finder: NamespaceFinder;
  readonly #daemonSet: OwnDaemonSet;
  readonly #readiness = new Readiness();
  /** For metrics and status. */
  readonly #pods: StatusDeps = { counts: () => this.#captures.counts, countOlder: () => this.#captures.countOlder() };
  readonly #conditions: Readonly<Record<'api' | 'pods' | 'plugin', Condition>>;
  readonly #metrics: AgentMetrics;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #captures: Captures;
  readonly #annotator: Annotator;
  readonly #view: NodeView;
  readonly #handover: HandoverServer;
  #isInstalled = false;
  #isOpen = false;
  #servers: readonly AsyncDisposable[] = [];

  private constructor(
    options: AgentOptions,
    deps: AgentDeps,
    host: NetworkNamespace,
    rules: Awaited<ReturnType<typeof nodeRules>>,
  ) {
    const { clock, random, logger, api } = deps;
    this.#options = options;
    this.#deps = deps;
    this.#host = host;
    this.#probes = rules.probes;
    this.#redirector = rules.redirector;
    const { ipv6, sources, dnsCapture } = options;
    this.#redirections = new PodRedirections(
      { ipv6, dnsCapture, probeV4: sources.v4, probeV6: sources.v6 },
      { logger: logger.scope('capture') },
    );
    this.#finder = new NamespaceFinder({ procPath: options.procPath });
    this.#daemonSet = new OwnDaemonSet({ namespace: options.systemNamespace, name: options.daemonSet }, { api, clock, random });
    this.#annotator = new Annotator({ api, clock, random, logger: logger.scope('kubernetes') });
    const readiness = this.#readiness;
    this.#conditions = {
      api: new Condition('pods and namespaces have not been read from the Kubernetes API', { readiness }),
      pods: new Condition('the pods that run have not been looked at', { readiness }),
      plugin: new Condition('the plugin is not in the network configuration yet', { readiness }),
    };
    this.#captures = this.#makeCaptures();
    this.#view = new NodeView({
      onPod: (subject) => this.#recvPod(subject),
      onGone: (pod) => this.#recvGone(pod),
      onSynced: () => this.#recvSynced(),
    });
    this.#handover = HandoverServer.hold(
      { path: options.handoverSocket },
      {
        clock,
        logger: logger.scope('zds'),
        onOutcome: (uid, { kind }) => kind === 'acked' && this.#captures.rouse(uid),
        undelivered: () => this.#captures.undelivered,
      },
    );
    this.#metrics = new AgentMetrics({
      ...this.#pods,
      isLive: () => this.#view.live,
      proxies: () => this.#handover.proxies,
      isInstalled: () => this.#isInstalled,
    });
  }

  /** Starts everything; resolves once the plugin can call. Rejects when the node cannot serve at all. */
  static async start(options: AgentOptions, deps: AgentDeps, signal: AbortSignal): Promise<NodeAgent> {
    const host = NetworkNamespace.current();
    try {
      const rules = await nodeRules(options, { host, logger: deps.logger.scope('rules') }, signal);
      await rules.probes.install(signal);
      const agent = new NodeAgent(options, deps, host, rules);
      await agent.#serve().catch(async (error: unknown) => {
        await agent.#close();
        throw error;
      });
      agent.#follow();
      return agent;
    } catch (error) {
      host[Symbol.dispose]();
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
    const isLast = await this.#daemonSet.isGone();
    await this.#close();
    if (isLast) await this.#leave();
    this.#host[Symbol.dispose]();
    logger.info('stopped', { uninstalled: isLast });
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
    await Promise.all([this.#captures[Symbol.asyncDispose](), this.#annotator[Symbol.asyncDispose](), ...this.#running]);
    await this.#handover[Symbol.asyncDispose]();
  }

  async #leave(): Promise<void> {
    const { cniConfDir: confDir, cniBinDir: binDir } = this.#options;
    const { logger } = this.#deps;
    try {
      await uninstall({ confDir, binDir }, { logger: logger.scope('install') });
      await this.#probes.uninstall(AbortSignal.timeout(5_000));
    } catch (error) {
      logger.error('the node is not as it was before: run clearmesh-node-agent uninstall on it', { error: String(error) });
    }
    const { captured } = this.#captures.counts;
    if (captured > 0)
      logger.warn('pods stay closed to all but the mesh: restart them, or unlabel before the mesh is removed', { captured });
  }

  #makeCaptures(): Captures {
    const { clock, random, logger } = this.#deps;
    const { settleMs } = this.#options;
    const deps: CaptureDeps = {
      finder: this.#finder,
      redirector: this.#redirector,
      handover: { addPod: (pod) => this.#handover.addPod(pod), removePod: (uid) => this.#handover.removePod(uid) },
      connectionsOf: podConnections,
      probes: this.#probes,
      annotate: (pod, mark) => this.#annotator.want(pod, mark),
      onEvent: (event) => {
        this.#metrics.recvCapture(event);
        this.#openWhenTried();
      },
      clock,
      random,
      logger: logger.scope('capture'),
    };
    return new Captures({ settleMs }, deps);
  }

  async #serve(): Promise<void> {
    const { clock, logger, api } = this.#deps;
    const { excludedNamespaces, systemNamespace, pluginSocket, healthPort } = this.#options;
    const service = new PluginService(
      { excludedNamespaces, systemNamespace },
      {
        view: this.#view,
        api,
        captures: this.#captures,
        finder: this.#finder,
        redirector: this.#redirector,
        redirectionOf: (pod) => this.#redirections.of(pod),
        clock,
        logger: logger.scope('plugin'),
      },
    );
    const onCall = (command: string, result: string): void => this.#metrics.recvCall(command, result);
    const plugin = await PluginServer.listen({ path: pluginSocket }, { service, onCall, clock, logger: logger.scope('plugin') });
    this.#servers = [plugin];
    const address = { ips: [existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0'], port: healthPort };
    const health = { readiness: this.#readiness, metrics: this.#metrics, status: this.#pods, logger: logger.scope('health') };
    this.#servers = [plugin, await startHealthServer(address, health)];
  }

  #follow(): void {
    const { signal } = this.#stop;
    const { node } = this.#options;
    const view = this.#view;
    const pods = this.#reflector('pods', `spec.nodeName=${node}`, {
      onList: (objects) => view.recvPods(objects),
      onUpsert: (object) => view.recvPod(object),
      onDelete: (object) => view.recvPodGone(object),
    });
    const namespaces = this.#reflector('namespaces', undefined, {
      onList: (objects) => view.recvNamespaces(objects),
      onUpsert: (object) => view.recvNamespace(object),
      onDelete: (object) => view.recvNamespaceGone(object),
    });
    const running = [pods.run(signal), namespaces.run(signal), this.#installer().run(signal), this.#verify(signal)];
    this.#running.push(...running, this.#daemonSet.look(signal));
  }

  #reflector(
    name: 'pods' | 'namespaces',
    fieldSelector: string | undefined,
    events: Pick<ConstructorParameters<typeof Reflector>[1], 'onList' | 'onUpsert' | 'onDelete'>,
  ): Reflector {
    const { api, clock, random, logger } = this.#deps;
    const options = { name, path: `/api/v1/${name}`, ...(fieldSelector === undefined ? {} : { fieldSelector }) };
    const onLive = (live: boolean): void => this.#view.recvLive(name, live);
    return new Reflector(options, { ...events, onLive, api, clock, random, logger: logger.scope('kubernetes') });
  }

  #installer(): Installer {
    const { clock, logger } = this.#deps;
    const { cniConfDir, cniBinDir, cniConfName, pluginBinary, pluginSocket, excludedNamespaces, systemNamespace } = this.#options;
    return new Installer(
      {
        confDir: cniConfDir,
        binDir: cniBinDir,
        confName: cniConfName,
        pluginBinary,
        entry: { socket: pluginSocket, excludeNamespaces: excludedNamespaces, systemNamespace },
      },
      {
        clock,
        logger: logger.scope('install'),
        onState: (problem) => {
          this.#isInstalled = problem === undefined;
          this.#conditions.plugin.set(problem);
        },
        onWrite: () => this.#metrics.recvWrite(),
      },
    );
  }

  async #verify(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#deps.clock, this.#options.verifyMs, signal).catch(() => {});
      await this.#captures.verify(signal);
    }
  }

  #recvPod({ pod, namespaceLabels }: PodInNamespace): void {
    const { excludedNamespaces, systemNamespace } = this.#options;
    const decision = decideEnrolment(pod, { namespaceLabels, excludedNamespaces, systemNamespace });
    this.#annotator.recvPod(pod);
    if (decision.kind === 'capture') this.#captures.enrol(pod, this.#redirections.of(pod));
    else if (decision.kind === 'skip' && decision.reason === 'finished') this.#captures.recvFinished(pod);
    else if (decision.kind === 'skip') this.#captures.release(pod);
  }

  #recvGone(pod: NodePod): void {
    this.#captures.recvDeleted(pod);
    this.#annotator.forget(pod.uid);
    this.#redirections.forget(pod.uid);
  }

  #recvSynced(): void {
    this.#conditions.api.set(undefined);
    this.#openWhenTried();
  }

  /** G1. */
  #openWhenTried(): void {
    if (this.#isOpen || this.#stop.signal.aborted || !this.#view.synced || !this.#captures.allTried) return;
    this.#isOpen = true;
    this.#deps.logger.info('pods that run have been looked at', { ...this.#captures.counts });
    this.#handover.open();
    this.#conditions.pods.set(undefined);
    this.#running.push(this.#settleProbes());
  }

  async #settleProbes(): Promise<void> {
    const { signal } = this.#stop;
    await this.#probes.settle(signal).catch((error: unknown) => {
      const what = 'addresses of pods that went, and rules of another program, may still let pass';
      if (!signal.aborted) this.#deps.logger.error(what, { error: String(error) });
    });
  }
}
