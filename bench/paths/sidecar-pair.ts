/**
 * Two Envoy sidecars as Istio has them: client → sidecar ═ mTLS, HTTP/2 ═ sidecar → server, on two nodes. Each pod's
 * namespace redirects to its sidecar, and each sidecar accepts its one peer only. One worker each.
 */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runIn } from '@clearmesh/e2e/harness/command';
import { Lab } from '@clearmesh/lab/lab';
import type { LabPod } from '@clearmesh/lab/lab';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { envoyArguments, envoyConfig } from './envoy-config.ts';
import type { EnvoyHop, EnvoyTls } from './envoy-config.ts';
import { answering } from './http-path.ts';
import type { HttpPath } from './http-path.ts';
import { httpPort } from './path.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
/** Istio's ports of a sidecar, and the mark by which it knows its own traffic. */
const outboundPort = 15_001;
const inboundPort = 15_006;
const mark = 1337;

export type RunningSidecars = AsyncDisposable & { readonly path: HttpPath };

export async function startSidecars(
  binary: string,
  /** What runs in the server pod, in a copy of the folder `files`. */
  service: { readonly command: readonly string[]; readonly files: string },
): Promise<RunningSidecars> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await Lab.create({ nodes: ['node-a', 'node-b'] }, deps));
  const client = await lab.addPod({ node: 'node-a', namespace: 'sidecar', name: 'client' });
  const server = await lab.addPod({ node: 'node-b', namespace: 'sidecar', name: 'server' });
  const cwd = join(lab.workDir, 'server');
  await cp(service.files, cwd, { recursive: true });
  const namespacePath = server.namespacePath;
  await answering(lab, await lab.spawn({ name: 'server', namespacePath, command: service.command, cwd }), httpPort);
  const authority = await TestAuthority.create({ name: 'sidecars' });
  const common = { accessLog: '/dev/null' };
  const inbound = await startSidecar(lab, binary, server, {
    ...common,
    listen: { ip: '0.0.0.0', port: inboundPort },
    upstream: { ip: '127.0.0.1', port: httpPort },
    downstreamTls: await tlsOf(lab, authority, server, client),
  });
  const outbound = await startSidecar(lab, binary, client, {
    ...common,
    listen: { ip: '127.0.0.1', port: outboundPort },
    upstream: { ip: server.ip, port: httpPort },
    upstreamTls: await tlsOf(lab, authority, client, server),
    mark,
  });
  await redirect(server, 'prerouting', inboundPort);
  await redirect(client, 'output', outboundPort);
  await answering(lab, outbound, outboundPort);
  const owned = stack.move();
  const url = `http://${server.ip}:${httpPort}/`;
  const path = { name: 'envoy sidecars', clientNamespacePath: client.namespacePath, url, pids: [outbound.pid, inbound.pid] };
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startSidecar(lab: Lab, binary: string, pod: LabPod, hop: EnvoyHop): ReturnType<Lab['spawn']> {
  const file = join(lab.workDir, `${pod.name}.json`);
  await writeFile(file, JSON.stringify(envoyConfig(hop)));
  const command = [binary, ...envoyArguments, '-c', file];
  return lab.spawn({ name: `sidecar of ${pod.name}`, namespacePath: pod.namespacePath, command });
}

async function tlsOf(lab: Lab, authority: TestAuthority, own: LabPod, peer: LabPod): Promise<EnvoyTls> {
  const { certPem, keyPem } = await authority.issue({ uris: [identity(own)] });
  const file = (kind: string): string => join(lab.workDir, `${own.name}.${kind}.pem`);
  await writeFile(file('cert'), certPem);
  await writeFile(file('key'), keyPem, { mode: 0o600 });
  await writeFile(file('root'), authority.rootPem);
  return { certificate: file('cert'), key: file('key'), authority: file('root'), peer: identity(peer) };
}

function identity({ namespace, name }: LabPod): string {
  return `spiffe://cluster.local/ns/${namespace}/sa/${name}`;
}

/** What goes to the server's port goes to the pod's sidecar, except the sidecar's own traffic. */
async function redirect(pod: LabPod, hook: 'prerouting' | 'output', port: number): Promise<void> {
  const device = hook === 'output' ? 'oifname' : 'iifname';
  const input = `table ip sidecar {
    chain ${hook} {
      type nat hook ${hook} priority -100
      ${device} "lo" accept
      meta mark ${mark} accept
      tcp dport ${httpPort} redirect to :${port}
    }
  }`;
  const { code, stderr } = await runIn(pod.namespacePath, ['nft', '-f', '-'], { input });
  if (code !== 0) throw new Error(`nft in pod ${pod.name}: ${stderr}`);
}
