/** Client → relay in the client's namespace → server of the direct pair. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { RunningMesh } from '@clearmesh/e2e/harness/mesh';
import { bulkPort, httpPort } from './path.ts';
import type { BenchPath } from './path.ts';

const relayHttpPort = 9080;
const relayBulkPort = 9201;

export async function startNaiveRelay(mesh: RunningMesh): Promise<{ readonly path: BenchPath; readonly stop: () => void }> {
  const client = mesh.pod('direct/client');
  const server = mesh.pod('direct/server');
  const rules = [`${relayHttpPort}=${server.ip}:${httpPort}`, `${relayBulkPort}=${server.ip}:${bulkPort}`];
  // nsenter replaces itself by the relay, so the child's pid is the relay's.
  const relay = spawn(
    'nsenter',
    [`--net=${client.namespacePath}`, '--', process.execPath, join(import.meta.dirname, 'relay-process.ts'), ...rules],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(relay.stdout, 'data');
  if (relay.pid === undefined) throw new Error('the naive relay did not start');
  return {
    path: {
      name: 'naive relay',
      clientNamespacePath: client.namespacePath,
      host: '127.0.0.1',
      httpPort: relayHttpPort,
      bulkPort: relayBulkPort,
      pids: [relay.pid],
    },
    stop: () => void relay.kill('SIGKILL'),
  };
}
