// The first program that runs on a fresh clone: plain JavaScript, because the Node on PATH may be too old for the rest.
// It installs what is missing, says what it does on standard error, and hands over to Node >= 24.12 from node_modules.
//
//   node scripts/bootstrap.mjs demo [args]   what `npm start` runs
//   node scripts/bootstrap.mjs test [args]   what `npm test` runs
//   node scripts/bootstrap.mjs bench [args]  what `npm run bench` runs
//   node scripts/bootstrap.mjs fault-runs [args]   what `npm run fault-runs` runs
//   node scripts/bootstrap.mjs fuzz [args]   what `npm run fuzz` runs
//   node scripts/bootstrap.mjs soak [args]   what `npm run soak` runs
//   node scripts/bootstrap.mjs images [args]       what `npm run images` runs
//   node scripts/bootstrap.mjs cluster [args]   what `npm run cluster` runs
//   node scripts/bootstrap.mjs e2e [args]    what `npm run e2e` runs
//   node scripts/bootstrap.mjs doctor        what `npm run doctor` runs
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.clearmesh-lock');

/** Each purpose: the program it ends in, and the commands (or files) it needs with the Debian package of each. */
const demoTools = { ip: 'iproute2', nft: 'nftables', tcpdump: 'tcpdump', 'redis-server': 'redis-server', setpriv: 'util-linux' };
const clusterTools = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  tcpdump: 'tcpdump',
  etcd: 'etcd-server',
  containerd: 'containerd',
  runc: 'runc',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  '/usr/share/doc/busybox-static/copyright': 'busybox-static',
};
/** What lies in the image of the node agent, and what its tests run; any of the programs stands for its package. */
const agentTools = { ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux', 'iptables-legacy-save': 'iptables', ipset: 'ipset' };
/** Images that no program of the machine lies in. */
const plainImages = new Set(['control-plane', 'ztunnel', 'waypoint', 'cli', 'bank']);
const purposes = {
  demo: { entry: ['packages/cli/src/main.ts', 'demo'], tools: demoTools },
  test: {
    entry: ['scripts/test.ts'],
    tools: {
      ...demoTools,
      ...clusterTools,
      ...agentTools,
      openssl: 'openssl',
      curl: 'curl',
      '/usr/lib/python3/dist-packages/h2': 'python3-h2',
    },
  },
  cluster: { entry: ['packages/cluster/src/main.ts'], tools: clusterTools },
  e2e: { entry: ['scripts/e2e.ts'], tools: { ...demoTools, ...clusterTools, ...agentTools } },
  // It is the doctor that says which tools are missing.
  doctor: { entry: ['scripts/doctor.ts'], tools: {} },
  images: { entry: ['packages/images/src/main.ts'], tools: agentTools },
  'fault-runs': { entry: ['packages/waypoint/test/fault-runs/main.ts'], tools: { 'redis-server': 'redis-server' } },
  soak: { entry: ['e2e/soak/main.ts'], tools: { ...demoTools, curl: 'curl' } },
  fuzz: { entry: ['packages/shared/test/fuzz/main.ts'], tools: {} },
  bench: {
    entry: ['bench/main.ts'],
    tools: {
      ...demoTools,
      iperf3: 'iperf3',
      wrk: 'wrk',
      nginx: 'nginx-light',
      curl: 'curl',
      python3: 'python3',
      '/usr/share/doc/python3-venv/copyright': 'python3-venv',
    },
  },
};

const say = (line) => process.stderr.write(`clearmesh: ${line}\n`);

function fail(line) {
  say(line);
  process.exit(1);
}

/** Runs a command with its output on standard error, so that standard output stays the program's own. */
function run(command, args, env = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  return result.status === 0;
}

function installNpmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages, Node 26 among them (once; about a minute) …');
  // Not `npm ci`: it refuses a lock file without the optional binaries of other platforms. `--no-save` keeps the file as it is.
  if (!run('npm', ['install', '--no-save', '--no-fund', '--no-audit', '--loglevel=error'])) {
    fail('`npm install` failed; its messages stand above. Mend the cause and run the command again.');
  }
  writeFileSync(stamp, lock);
}

function onPath(command) {
  if (command.startsWith('/')) return existsSync(command);
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function installDebianPackages(tools) {
  const missing = Object.entries(tools).filter(([command]) => !onPath(command));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  const wanted = `missing ${missing.map(([command]) => command).join(', ')}`;
  if (process.getuid?.() !== 0) fail(`${wanted}. Run: sudo apt-get install ${packages.join(' ')}`);
  if (!onPath('apt-get')) fail(`${wanted}. Install the equivalent of these Debian packages: ${packages.join(' ')}`);
  say(`${wanted}: installing Debian packages ${packages.join(' ')} …`);
  // RUNLEVEL=1 keeps a freshly installed redis-server from starting as a service of this machine.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const install = () => run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], env);
  if (!(run('apt-get', ['update', '-qq'], env) && install()))
    fail(`apt-get failed; its messages stand above. Packages wanted: ${packages.join(' ')}`);
}

/** @param env what only this purpose's program gets to know */
function handOver([entry, ...fixed], args, env = {}) {
  const path = `${join(modules, '.bin')}:${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const child = spawn(join(modules, '.bin/node'), [join(root, entry), ...fixed, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: path, ...env },
  });
  // The child has the terminal too and gets Ctrl-C itself; signals sent to this process alone are passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signal === 'SIGINT' || child.kill(signal));
  child.on('error', (error) => fail(`Node from node_modules could not be started: ${error.message}`));
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
}

const [purpose = '', ...args] = process.argv.slice(2);
const chosen = purposes[purpose];
if (!chosen) fail(`usage: bootstrap.mjs ${Object.keys(purposes).join(' | ')}; got "${purpose}"`);
if (process.platform !== 'linux')
  fail(`Clearmesh runs on Linux only (network namespaces, netfilter); this is ${process.platform}.`);
installNpmPackages();
// In the build of a Containerfile as well, which says by name what it makes.
const isPlain = purpose === 'images' && !args.includes('node-agent') && args.some((arg) => plainImages.has(arg));
installDebianPackages(isPlain ? {} : chosen.tools);
// The demo ends when this process is gone, so that a kill -9 of `npm start` leaves nothing running. Only the demo: it would
// pass the variable on to programs that have another parent.
handOver(chosen.entry, args, purpose === 'demo' ? { CLEARMESH_LAUNCHER: String(process.pid) } : {});
