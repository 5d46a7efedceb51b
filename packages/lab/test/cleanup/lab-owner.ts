/** Makes a lab with a process that obeys nobody, prints what there is, and waits to be killed. */
import { stampOf } from '../../src/process/proc-stat.ts';
import { twoNodes } from '../lab-bed.ts';

const { lab, client } = await twoNodes();
const escaped = Promise.withResolvers<number>();
const child = await lab.spawn({
  name: 'pod process',
  namespacePath: client.namespacePath,
  // The second one leaves group and session, so that neither the kernel's death signal nor the group reaches it.
  command: ['sh', '-c', 'setsid sleep 300 >/dev/null 2>&1 & echo $!; exec sleep 300'],
  onLine: (_stream, line) => escaped.resolve(Number(line)),
});
const processes = [child.pid, await escaped.promise].map(stampOf);
process.stdout.write(`${JSON.stringify({ id: lab.id, workDir: lab.workDir, processes })}\n`);
await child.exited;
