/** Labs for node-tier tests: real namespaces, so they need root; without it `Lab.create` says so. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { Lab } from '../src/lab.ts';
import type { LabDeps, LabPod } from '../src/lab.ts';
import type { SupervisedProcess } from '../src/process/supervised-process.ts';

export const labDeps: LabDeps = { clock: systemClock, random: systemRandom, logger: silentLogger };

/** Two nodes with a pod each: `client` on node-a, `server` on node-b. */
export async function twoNodes(): Promise<{ readonly lab: Lab; readonly client: LabPod; readonly server: LabPod }> {
  const lab = await Lab.create({ nodes: ['node-a', 'node-b'] }, labDeps);
  const client = await lab.addPod({ node: 'node-a', namespace: 'bank', name: 'client' });
  const server = await lab.addPod({ node: 'node-b', namespace: 'bank', name: 'server' });
  return { lab, client, server };
}

/** An HTTP server in a pod that answers `<name> saw <client address>`; it listens when this resolves. */
export async function serve(lab: Lab, pod: LabPod, name: string, port = 8080): Promise<SupervisedProcess> {
  const program = `require('http').createServer((request, response) => response.end('${name} saw ' + request.socket.remoteAddress))
    .listen(${port}, '0.0.0.0', () => console.log('listening'))`;
  const ready = Promise.withResolvers<void>();
  const child = await lab.spawn({
    name,
    namespacePath: pod.namespacePath,
    command: [process.execPath, '-e', program],
    onLine: (_stream, line) => (line === 'listening' ? ready.resolve() : undefined),
  });
  await Promise.race([
    ready.promise,
    child.exited.then(() => Promise.reject(new Error(`${name} ended: ${child.tail().join('\n')}`))),
  ]);
  return child;
}

/** The body of a GET from inside a namespace, or the reason of the failure. */
export async function get(lab: Lab, namespacePath: string, ip: string, port: number): Promise<string> {
  return lab.request(namespacePath, { ip, port, path: '/', timeoutMs: 2000 }).then(
    ({ body }) => body,
    (error: Error) => /\bE[A-Z]{4,}|timeout/.exec(error.message)?.[0] ?? error.message,
  );
}
