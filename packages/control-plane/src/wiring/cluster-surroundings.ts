/**
 * Around a cluster: everything is an object of the API server.
 *
 *   API server ─▶ source, callers, root          every replica
 *              ◀─ statuses, root certificates …  the leader
 */
import { hostname } from 'node:os';
import { ValidatorAuthority } from '../admit/validator-authority.ts';
import { openClusterRoot } from '../certify/cluster-root.ts';
import { ClusterRootWatch } from '../certify/cluster-root-watch.ts';
import { CurrentRoot } from '../certify/current-root.ts';
import { TokenReviewer } from '../certify/token-reviewer.ts';
import { WaypointDeployer } from '../deploy/waypoint-deployer.ts';
import { defaultDeriveOptions } from '../derive/options.ts';
import { RootBundles } from '../distribute/root-bundles.ts';
import { ApiClient } from '../kubernetes/api-client.ts';
import { openCluster } from '../kubernetes/cluster-access.ts';
import { LeaderElection } from '../lead/leader-election.ts';
import { Leader } from '../lead/leader.ts';
import { StatusTask } from '../report/status-task.ts';
import { KubernetesSource } from '../watch/kubernetes-source.ts';
import type { LeaderTask } from '../lead/leader-task.ts';
import type { ClusterSetting } from './options.ts';
import type { Surroundings, Wiring } from './parts.ts';

/** One for all that is written. */
const leaseName = 'clearmesh-status';

export async function clusterSurroundings(wiring: Wiring<ClusterSetting>): Promise<Surroundings> {
  const { options, deps, metrics, resources } = wiring;
  const { rootNamespace, requirePermissiveExpiry } = options;
  const { clock, random, logger } = deps;
  const api = resources.use(new ApiClient({}, { kubeConfig: await openCluster(options.setting.kubeconfig), clock }));
  const root = await rootOf(wiring, api);
  const rules = { requirePermissiveExpiry, rootNamespace };
  const source = resources.use(new KubernetesSource({ rules }, { api, clock, random, logger: logger.scope('config'), metrics }));
  const statuses = new StatusTask(source);
  const deployer = deployerOf(options);
  const authority = new ValidatorAuthority(root);
  const tasks: readonly LeaderTask[] = [
    new RootBundles(root),
    statuses,
    ...(deployer === undefined ? [] : [deployer]),
    ...(options.setting.webhook === undefined ? [] : [authority]),
  ];
  const leader = new Leader(tasks, { api, clock, random, logger });
  elect(wiring, api, leader);
  return {
    name: 'kubernetes',
    source,
    authenticator: new TokenReviewer({}, { api, clock }),
    root,
    write: (report) => statuses.recvReport(report),
    onInvalidParameters: (recv) => deployer?.onInvalidParameters(recv),
    onConfiguration: (configured) => leader.recvConfigured(configured),
    describe: () => ({ watches: Object.fromEntries(source.states) }),
  };
}

/** Read once, and followed from then on. */
async function rootOf(
  { options, deps, metrics, resources, signal }: Wiring<ClusterSetting>,
  api: ApiClient,
): Promise<CurrentRoot> {
  const { rootNamespace: namespace, trustDomain } = options;
  const { clock, random, logger } = deps;
  const known = { api, clock, random, logger: logger.scope('ca') };
  const opened = await openClusterRoot({ namespace, trustDomain }, known, signal);
  const root = new CurrentRoot(opened.authority);
  const watch = new ClusterRootWatch({ namespace, trustDomain, opened }, { ...known, root, metrics });
  resources.use(watch);
  watch.start();
  return root;
}

function deployerOf({
  setting,
  rootNamespace,
  clusterId,
  trustDomain,
  network = '',
}: Wiring<ClusterSetting>['options']): WaypointDeployer | undefined {
  if (setting.waypoints === undefined) return undefined;
  const { namespaces, ...waypoints } = setting.waypoints;
  return new WaypointDeployer({
    waypoints: { ...waypoints, clusterId, trustDomain, network },
    rootNamespace,
    revision: defaultDeriveOptions.revision,
    ...(namespaces.length === 0 ? {} : { namespaces: new Set(namespaces) }),
  });
}

function elect({ options, deps, metrics, resources }: Wiring<ClusterSetting>, api: ApiClient, leader: Leader): void {
  const { clock, random, logger } = deps;
  const identity = `${options.setting.podName ?? hostname()}_${random.hex(8)}`;
  const election = resources.use(
    new LeaderElection(
      { lease: { namespace: options.rootNamespace, name: leaseName }, identity },
      { api, clock, random, logger: logger.scope('lead'), lead: (signal) => counted(leader.lead(signal), metrics) },
    ),
  );
  election.start();
}

function counted(work: AsyncDisposable, { leading }: Wiring['metrics']): AsyncDisposable {
  leading.set(1);
  return {
    [Symbol.asyncDispose]: () => {
      leading.set(0);
      return work[Symbol.asyncDispose]();
    },
  };
}
