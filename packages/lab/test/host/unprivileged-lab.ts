/** What an ordinary user's command does: become root of a user namespace, make a lab, watch its link. Prints what it saw. */
import { cleanStaleLabs } from '../../src/cleanup/stale-labs.ts';
import { reexecInUserNamespace } from '../../src/host/user-namespace.ts';
import { get, labDeps, serve, twoNodes } from '../lab-bed.ts';

const firstPid = process.env['FIRST_PID'] ?? String(process.pid);
const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
const privilege = await reexecInUserNamespace(command, { ...process.env, FIRST_PID: firstPid });
if (privilege.kind === 'refused') {
  process.stdout.write(`${JSON.stringify({ code: privilege.error.code, explained: privilege.error.explain() })}\n`);
} else {
  const { lab, client, server } = await twoNodes();
  await using _ = lab;
  await serve(lab, server, 'server');
  await lab.setServices([{ vip: '10.96.0.10', port: 80, endpoints: [{ ip: server.ip, port: 8080 }] }]);
  await using tap = await lab.wiretap('node-a', 'node-b');
  const answers = [await get(lab, client.namespacePath, server.ip, 8080), await get(lab, client.namespacePath, '10.96.0.10', 80)];
  const { plaintextSamples, incomplete } = await tap.report({ pods: new Set([client.ip, server.ip]), secrets: [] });
  const { labs } = await cleanStaleLabs(labDeps);
  const samePid = firstPid === String(process.pid);
  const seen = plaintextSamples.map(({ text }) => text.slice(0, 14));
  process.stdout.write(
    `${JSON.stringify({ id: lab.id, uid: process.getuid?.(), samePid, answers, seen, incomplete, labs, args: process.argv.slice(2) })}\n`,
  );
}
