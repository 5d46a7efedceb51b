/**
 * A ztunnel for one pod, in that pod's own network namespace (PROXY_MODE=dedicated), with the redirection that such a pod needs:
 * that of any captured pod, and nothing of the proxy's group is redirected, so that it reaches the control plane.
 */
import { join } from 'node:path';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import { ChildProgram } from '@clearmesh/shared/testing/child-program';
import { runIn } from './command.ts';
import type { MeshPod, RunningMesh } from './mesh.ts';
import type { TokenMaker } from './token-maker.ts';

const program = join(import.meta.dirname, '../../packages/ztunnel/src/main.ts');
const group = 1337;

const rules = `
table ip pod {
  chain mangle-in {
    type filter hook prerouting priority mangle;
    meta mark & 0xfff == 0x539 ct mark set 0x111
  }
  chain mangle-out {
    type route hook output priority mangle;
    ct mark & 0xfff == 0x111 meta mark set 0x111
  }
  chain nat-in {
    type nat hook prerouting priority dstnat;
    meta l4proto tcp ip daddr != 127.0.0.1 tcp dport != 15008 meta mark & 0xfff != 0x539 redirect to :15006
  }
  chain nat-out {
    type nat hook output priority -100;
    meta skgid ${group} accept
    meta l4proto tcp meta mark & 0xfff == 0x111 accept
    oifname "lo" ip daddr != 127.0.0.1 accept
    meta l4proto tcp ip daddr != 127.0.0.1 redirect to :15001
  }
}`;

const inPod: readonly (readonly string[])[] = [
  ['ip', 'rule', 'add', 'fwmark', '0x111/0xfff', 'pref', '32764', 'lookup', '100'],
  ['ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', '100'],
];

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
  for (const command of inPod) await succeed(pod, command);
  await succeed(pod, ['nft', '-f', '-'], rules);
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
