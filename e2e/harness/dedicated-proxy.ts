/**
 * A ztunnel for one pod, in that pod's own network namespace (PROXY_MODE=dedicated), with the redirection that such a pod needs:
 * that of any captured pod, and nothing of the proxy's group is redirected, so that it reaches the control plane.
 */
import { join } from 'node:path';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import { captureCommands, captureRules } from '@clearmesh/shared/testing/capture-rules';
import { ChildProgram } from '@clearmesh/shared/testing/child-program';
import { runIn } from './command.ts';
import type { MeshPod, RunningMesh } from './mesh.ts';
import type { TokenMaker } from './token-maker.ts';

const program = join(import.meta.dirname, '../../packages/ztunnel/src/main.ts');
const group = 1337;

export type DedicatedOptions = {
  readonly serviceAccount: string;
  /** Of its token. @default the same */
  readonly tokenAccount?: string;
  /** Without it, it has no capability at all, marks nothing and keeps no source. @default true */
  readonly privileged?: boolean;
};

/** Redirects the pod's connections, and starts its proxy; ready when it resolves. */
export async function startDedicated(
  mesh: RunningMesh,
  tokens: TokenMaker,
  pod: MeshPod,
  options: DedicatedOptions,
): Promise<ChildProgram> {
  for (const command of captureCommands()) await succeed(pod, command);
  await succeed(pod, ['nft', '-f', '-'], captureRules({ sparedGroup: group }));
  const proxy = await spawnDedicated(mesh, tokens, pod, options);
  const ready = eventually(`${proxy.name} is ready`, () => isReady(pod), { limitMs: 20_000, pauseMs: 100 });
  await Promise.race([ready, proxy.mustRun()]);
  return proxy;
}

/** Its proxy alone, ready or not. */
export async function spawnDedicated(
  mesh: RunningMesh,
  tokens: TokenMaker,
  pod: MeshPod,
  { serviceAccount, tokenAccount = serviceAccount, privileged = true }: DedicatedOptions,
): Promise<ChildProgram> {
  const url = `https://${mesh.ready.control.ip}:15012`;
  const root = join(mesh.ready.stateDir, 'root-cert.pem');
  const environment = {
    PATH: process.env['PATH'] ?? '',
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: `${pod.namespace}/${pod.name}/${serviceAccount}`,
    ...(privileged ? { PACKET_MARK: '1337', ENABLE_ORIG_SRC: 'true' } : { ENABLE_ORIG_SRC: 'false' }),
    XDS_ADDRESS: url,
    CA_ADDRESS: url,
    XDS_ROOT_CA: root,
    CA_ROOT_CA: root,
    AUTH_TOKEN: await tokens.write(pod, tokenAccount),
    INSTANCE_IP: pod.ip,
    LOG_FORMAT: 'json',
  };
  const rights = privileged ? [] : ['--bounding-set=-all', '--inh-caps=-all'];
  const asGroup = ['setpriv', `--regid=${group}`, '--clear-groups', ...rights, process.execPath, program];
  return new ChildProgram(`ztunnel of ${pod.name}`, ['nsenter', `--net=${pod.namespacePath}`, '--', ...asGroup], {
    cwd: mesh.ready.workDir,
    env: environment,
  });
}

export async function isReady(pod: MeshPod): Promise<boolean> {
  const url = 'http://127.0.0.1:15021/healthz/ready';
  return (await runIn(pod.namespacePath, ['curl', '-s', '--max-time', '5', url])).stdout === 'ready\n';
}

async function succeed(pod: MeshPod, command: readonly string[], input = ''): Promise<void> {
  const { code, stderr } = await runIn(pod.namespacePath, command, { input });
  if (code !== 0) throw new Error(`${command.join(' ')} in ${pod.name}: ${stderr}`);
}
