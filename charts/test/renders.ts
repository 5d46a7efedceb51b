import { render } from './helm.ts';
import type { ChartName } from './helm.ts';

/** What is rendered and kept in renders/, so that a change of a chart shows what it changes. */
type Rendered = {
  readonly name: string;
  readonly chart: ChartName;
  readonly args: readonly string[];
  readonly namespace?: string;
};

const umbrella = new URL('../clearmesh/', import.meta.url).pathname;

export const renders: readonly Rendered[] = [
  { name: 'base', chart: 'base', args: [] },
  { name: 'control-plane', chart: 'control-plane', args: [] },
  { name: 'node-agent', chart: 'node-agent', args: [] },
  { name: 'ztunnel', chart: 'ztunnel', args: [] },
  { name: 'waypoint', chart: 'waypoint', args: [], namespace: 'ledger' },
  { name: 'demo', chart: 'clearmesh', args: ['-f', `${umbrella}values-demo.yaml`] },
  { name: 'production', chart: 'clearmesh', args: ['-f', `${umbrella}values-production.yaml`] },
  {
    name: 'openshift',
    chart: 'clearmesh',
    args: ['--set', 'global.platform=openshift,global.serviceMonitor.enabled=true,global.imagePullSecrets={registry}'],
  },
  {
    name: 'narrow',
    chart: 'clearmesh',
    args: [
      '--set',
      'global.platform=gke,control-plane.waypoints.namespaces={ledger,cards},node-agent.rules=iptables,node-agent.settleMilliseconds=2500,ztunnel.compliancePolicy=pqc',
    ],
  },
  {
    name: 'waypoint-everything',
    chart: 'waypoint',
    namespace: 'ledger',
    args: [
      '--set',
      'name=ledger-waypoint,autoscaling.enabled=true,allowedRoutes.from=All,enrol.namespaces={ledger,cards}',
      '--set',
      'domainKeySecret=ledger-key,bundles.four-eyes.configMap.name=rules,samplePolicies.enabled=true,criticality=high',
    ],
  },
];

export function rendered({ chart, args, namespace }: Rendered): Promise<string> {
  return render(chart, args, namespace);
}

export function renderFile(name: string): URL {
  return new URL(`renders/${name}.yaml`, import.meta.url);
}
