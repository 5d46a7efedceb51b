/** Network namespaces and veth pairs for tests that run as root; everything is removed on dispose. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { NetworkNamespace } from '../netns.ts';

const DIRECTORY = '/run/netns';
const PREFIX = 'cmtest';

/** One end of a veth pair. */
export type LinkEnd = {
  readonly namespace: string;
  readonly device: string;
  /** With prefix length, both families as wanted: `10.1.0.1/24`, `fd01::1/64`. */
  readonly addresses: readonly string[];
};

/** Owns the namespaces it makes. Names carry the process id, so that parallel runs do not meet. */
export class NamespaceBed implements Disposable {
  readonly #names = new Map<string, NetworkNamespace>();

  constructor() {
    if (process.getuid?.() !== 0) throw new Error('node-tier tests need root: run them with sudo, or inside `unshare -Urnm`');
    removeOrphans();
  }

  /** Makes a namespace with its loopback up. */
  add(name: string): NetworkNamespace {
    const full = this.nameOf(name);
    ip('netns', 'add', full);
    const namespace = NetworkNamespace.open(this.pathOf(name));
    this.#names.set(name, namespace);
    // No duplicate address detection: an IPv6 address, link-local ones too, is otherwise unusable for a second.
    namespace.run(() => writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0'));
    ip('-n', full, 'link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Joins two namespaces by a veth pair, both ends up. */
  link(a: LinkEnd, b: LinkEnd): void {
    const far = ['peer', 'name', b.device, 'netns', this.nameOf(b.namespace)];
    ip('-n', this.nameOf(a.namespace), 'link', 'add', a.device, 'type', 'veth', ...far);
    for (const { namespace, device, addresses } of [a, b]) {
      for (const address of addresses) ip('-n', this.nameOf(namespace), 'address', 'add', address, 'dev', device);
      ip('-n', this.nameOf(namespace), 'link', 'set', device, 'up');
    }
    this.#introduce(a, b);
    this.#introduce(b, a);
  }

  /** Tells one end the other's hardware address: the first neighbour solicitation after link-up is lost, and costs a second. */
  #introduce(to: LinkEnd, other: LinkEnd): void {
    const shown = this.exec(other.namespace, 'cat', `/sys/class/net/${other.device}/address`).trim();
    for (const address of other.addresses.filter((each) => each.includes(':'))) {
      const entry = [address.split('/', 1)[0] ?? address, 'lladdr', shown, 'dev', to.device, 'nud', 'permanent'];
      ip('-n', this.nameOf(to.namespace), 'neighbour', 'replace', ...entry);
    }
  }

  /** Runs a command inside a namespace and returns its standard output. */
  exec(name: string, command: string, ...args: string[]): string {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    return execFileSync('ip', ['netns', 'exec', this.nameOf(name), command, ...args], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio,
    });
  }

  /** The kernel-wide name of a namespace. */
  nameOf(name: string): string {
    return `${PREFIX}-${process.pid}-${name}`;
  }

  /** Its file. */
  pathOf(name: string): string {
    return `${DIRECTORY}/${this.nameOf(name)}`;
  }

  [Symbol.dispose](): void {
    for (const [name, namespace] of this.#names) {
      namespace[Symbol.dispose]();
      ip('netns', 'delete', this.nameOf(name));
    }
    this.#names.clear();
  }
}

/** A run that was killed could not clean up. */
function removeOrphans(): void {
  if (!existsSync(DIRECTORY)) return;
  for (const name of readdirSync(DIRECTORY)) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip('netns', 'delete', name);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { timeout: 10_000, stdio: ['ignore', 'ignore', 'pipe'] });
}
