/** `npm run doctor`: what this machine has for Clearmesh; one line a check, with what to do. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { whyNot as whyNoCluster } from '@clearmesh/cluster/host-check';
import { checkHost } from '@clearmesh/lab/host/tools';

type Verdict = { readonly name: string; readonly ok: boolean; readonly hint: string };

function atLeast(version: string, wanted: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}

function userNamespaces(): boolean {
  const limit = '/proc/sys/user/max_user_namespaces';
  const debian = '/proc/sys/kernel/unprivileged_userns_clone';
  if (existsSync(debian) && readFileSync(debian, 'utf8').trim() === '0') return false;
  return existsSync(limit) && Number(readFileSync(limit, 'utf8')) > 0;
}

async function verdicts(): Promise<Verdict[]> {
  const missing = await checkHost({ needs: ['lab', 'wiretap', 'redis', 'bench', 'images'] });
  const cluster = await whyNoCluster();
  const root = process.getuid?.() === 0;
  return [
    {
      name: `Linux ${release()}`,
      ok: process.platform === 'linux' && atLeast(release(), [5, 10]),
      hint: 'Clearmesh needs Linux 5.10 or newer.',
    },
    {
      name: `Node ${process.versions.node}`,
      ok: atLeast(process.versions.node, [24, 12]),
      hint: 'Run it by npm, which puts the project’s own Node first.',
    },
    {
      name: `OpenSSL ${process.versions.openssl}`,
      ok: atLeast(process.versions.openssl, [3, 5]),
      hint: 'X25519MLKEM768 needs OpenSSL 3.5: use the project’s own Node.',
    },
    {
      name: root ? 'root' : 'user namespaces',
      ok: root || userNamespaces(),
      hint: 'Run as root, or let users make user namespaces: sysctl user.max_user_namespaces=10000 (and kernel.unprivileged_userns_clone=1 where it exists).',
    },
    { name: 'a Kubernetes of two nodes (npm run cluster)', ok: cluster.length === 0, hint: cluster.join('; ') },
    ...missing.map((tool) => ({
      name: tool.tool,
      ok: false,
      hint: `for ${tool.neededFor}: apt-get install ${tool.debianPackage}`,
    })),
    ...(missing.length === 0 ? [{ name: 'tools', ok: true, hint: '' }] : []),
  ];
}

const found = await verdicts();
for (const verdict of found) console.log(`${verdict.ok ? '✓' : '✗'} ${verdict.name}${verdict.ok ? '' : ` – ${verdict.hint}`}`);
process.exitCode = found.every((verdict) => verdict.ok) ? 0 : 1;
