/** A control plane as the chart starts it: its arguments, its rights, but on ports of its own. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { createLogger } from '@clearmesh/shared/observe/log';
import type { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { parseCommandLine } from '../../src/command-line.ts';
import { ControlPlane } from '../../src/control-plane.ts';
import { argumentsOf, chartObjects, textOf } from './charts.ts';

export const system = 'clearmesh-system';
const listen = { ip: parseIp('127.0.0.1')!, port: 0 };

/** @param log takes its lines, as JSON */
export async function startFromChart(server: ApiServer, values: readonly string[], log: string[]): Promise<ControlPlane> {
  const chart = await chartObjects('control-plane', system, values);
  await server.apply(textOf(chart.filter(({ kind }) => /Role|ServiceAccount/.test(kind))));
  const user = `system:serviceaccount:${system}:clearmesh-control-plane`;
  const kubeconfig = await server.kubeconfigFor('clearmesh-control-plane', { user, groups: [] });
  const args = argumentsOf(chart).map((arg) => arg.replace('$(POD_NAME)', 'cp-0').replace('[::]:15017', '127.0.0.1:0'));
  const line = parseCommandLine([...args, `--kubeconfig=${kubeconfig}`], () => {});
  if (line.kind !== 'serve') throw line.kind === 'wrong' ? line.error : new Error('told');
  const logger = createLogger('control-plane', { format: 'json', write: (text) => void log.push(text) });
  const deps = { clock: systemClock, random: systemRandom, logger };
  return ControlPlane.start({ ...line.command.options, listen, admin: listen }, deps, AbortSignal.timeout(30_000));
}
