/**
 * A node for the real agent process: a network namespace as host, two more as pods, a small Kubernetes API in the host's
 * network, a /proc that a test fills, and the plugin as the container runtime calls it. Everything goes on dispose.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { FakeKubeServer } from './kubernetes/fake-kube-server.ts';
import type { KubeObject } from './kubernetes/fake-kube-server.ts';
import { ServingProxy } from './handover/serving-proxy.ts';
import { runPlugin } from './plugin/run-plugin.ts';
import type { PluginRun } from './plugin/run-plugin.ts';

const source = join(import.meta.dirname, '../src');
const node = 'vault-a';
const healthPort = 15_022;
/** For what a process does on the side, milliseconds. */
const patienceMs = 8_000;

export type PodName = 'ledger' | 'payments';
const subnets: Readonly<Record<PodName, string>> = { ledger: '10.79.1', payments: '10.79.2' };

export type Conversation = { readonly say: (text: string) => void; readonly next: () => Promise<string> };

type PodTraits = {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly phase?: string;
  /** Without: its sandbox is being made. @default true */
  readonly hasIp?: boolean;
};

export class AgentBed implements AsyncDisposable {
  readonly bed: NamespaceBed;
  readonly kube: FakeKubeServer;
  readonly directory: string = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly #children = new Set<ChildProcess>();
  readonly #proxies: AsyncDisposable[] = [];
  #agent: ChildProcess | undefined;
  #log = '';

  private constructor(bed: NamespaceBed, kube: FakeKubeServer) {
    this.bed = bed;
    this.kube = kube;
    for (const name of ['conf', 'bin', 'proc']) mkdirSync(join(this.directory, name));
    writeFileSync(join(this.directory, 'kubeconfig'), kube.kubeconfig);
    writeFileSync(join(this.directory, 'plugin'), 'the plugin', { mode: 0o755 });
    writeFileSync(this.confPath, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }] }));
  }

  static async start(): Promise<AgentBed> {
    const bed = new NamespaceBed();
    const host = bed.add('host');
    host.run(() => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
    for (const [name, subnet] of Object.entries(subnets)) {
      bed.add(name);
      bed.link(
        { namespace: 'host', device: name, addresses: [`${subnet}.1/24`] },
        { namespace: name, device: 'eth0', addresses: [`${subnet}.2/24`] },
      );
      bed.exec(name, 'ip', 'route', 'add', 'default', 'via', `${subnet}.1`);
    }
    // Who asks for a namespace's addresses is told those of interfaces that run, which the kernel makes known a little later.
    for (const name of Object.keys(subnets))
      while (!/ UP /.test(bed.exec(name, 'ip', '-br', 'link', 'show', 'eth0'))) await new Promise((next) => setTimeout(next, 10));
    const kube = await FakeKubeServer.listen(listenSocket({ namespace: host, ip: '127.0.0.1', port: 0 }).fd);
    kube.put('namespaces', { metadata: { name: 'bank', labels: { 'istio.io/dataplane-mode': 'ambient' } } });
    kube.put('namespaces', { metadata: { name: 'shop' } });
    return new AgentBed(bed, kube);
  }

  get confPath(): string {
    return join(this.directory, 'conf/10-net.conflist');
  }

  get log(): string {
    return this.#log;
  }

  /** Starts the agent; resolves once the plugin can call it. */
  async agent(...more: string[]): Promise<ChildProcess> {
    const path = (name: string): string => join(this.directory, name);
    const flags = {
      node,
      kubeconfig: path('kubeconfig'),
      proc: path('proc'),
      'cni-bin-dir': path('bin'),
      'cni-conf-dir': path('conf'),
      'plugin-binary': path('plugin'),
      'plugin-socket': path('plugin.sock'),
      'handover-socket': path('zds.sock'),
      'health-port': String(healthPort),
    };
    const args = ['run', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]), ...more];
    const program = [process.execPath, join(source, 'main.ts'), ...args];
    const child = spawn('ip', ['netns', 'exec', this.bed.nameOf('host'), ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    await this.logs('node agent started');
    this.#agent = child;
    return child;
  }

  /** Resolves once the agent has said it. */
  async logs(text: string): Promise<void> {
    await this.until(() => this.#log.includes(text), `the log to say ${JSON.stringify(text)}`);
  }

  /** Ends the agent as an orderly stop or a crash, and forgets what it said. */
  async stop(agent: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ended = once(agent, 'exit');
    agent.kill(signal);
    await ended;
    this.#children.delete(agent);
    this.#log = '';
  }

  /** The agent crashes. */
  async kill(): Promise<void> {
    if (this.#agent !== undefined) await this.stop(this.#agent, 'SIGKILL');
  }

  /** A proxy that acknowledges whatever comes, or as `answer` says; resolves once it has the snapshot. */
  async proxy(answer?: () => string | undefined): Promise<ServingProxy> {
    const proxy = await this.dial(answer);
    await this.until(() => proxy.told.some(({ kind }) => kind === 'snapshot'), 'the snapshot');
    return proxy;
  }

  dial(answer?: () => string | undefined): Promise<ServingProxy> {
    return this.dialled(() => ServingProxy.dial(join(this.directory, 'zds.sock'), answer));
  }

  /** As ztunnel does: again and again, since an agent that was killed leaves a socket that nobody serves. */
  async dialled<Proxy extends AsyncDisposable>(dial: () => Promise<Proxy>): Promise<Proxy> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      try {
        const proxy = await dial();
        this.#proxies.push(proxy);
        return proxy;
      } catch (error) {
        if (performance.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  pod(name: PodName, traits: PodTraits = {}): KubeObject {
    const { namespace = 'bank', phase = 'Running', hasIp = true, labels, annotations } = traits;
    const object = {
      metadata: {
        name,
        namespace,
        uid: uidOf(name),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      spec: { nodeName: node, serviceAccountName: `${name}-sa` },
      status: { phase, ...(hasIp ? { podIPs: [{ ip: `${subnets[name]}.2` }] } : {}) },
    };
    this.kube.put('pods', object);
    return object;
  }

  /** A process of the pod, for who reads /proc. */
  process(name: PodName, pid: number): void {
    const folder = join(this.directory, 'proc', String(pid));
    mkdirSync(join(folder, 'ns'), { recursive: true });
    writeFileSync(join(folder, 'cgroup'), `0::/kubepods/burstable/pod${uidOf(name)}/a1\n`);
    writeFileSync(join(folder, 'stat'), `${pid} (app) S ${Array.from({ length: 18 }, () => 0).join(' ')} ${pid} 0\n`);
    symlinkSync(this.bed.pathOf(name), join(folder, 'ns/net'));
  }

  annotation(name: PodName, namespace = 'bank'): string | undefined {
    return this.kube.pod(`${namespace}/${name}`)?.metadata.annotations?.['ambient.istio.io/redirection'];
  }

  async plugin(
    command: string,
    name: PodName,
    more: { readonly namespace?: string; readonly netns?: string; readonly container?: string } = {},
  ): Promise<PluginRun> {
    const { namespace = 'bank', netns = this.bed.pathOf(name), container = 'c1' } = more;
    const entry = { socket: join(this.directory, 'plugin.sock'), timeoutMs: 10_000 };
    const prevResult = { cniVersion: '1.0.0', ips: [{ address: `${subnets[name]}.2/24` }], dns: {} };
    const configuration = { cniVersion: '1.0.0', name: 'net', type: 'clearmesh-cni', ...entry, prevResult };
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uidOf(name)}`;
    const env = { CNI_COMMAND: command, CNI_CONTAINERID: container, CNI_NETNS: netns, CNI_IFNAME: 'eth0', CNI_ARGS: args };
    return runPlugin(JSON.stringify(configuration), env);
  }

  /** Runs a program of Node in a namespace until the bed goes; resolves at its first output. */
  async serve(name: PodName, script: string): Promise<void> {
    const child = spawn('ip', ['netns', 'exec', this.bed.nameOf(name), process.execPath, '-e', script]);
    this.#children.add(child);
    await once(child.stdout, 'data');
  }

  /** Runs a program of Node in a namespace and talks with it, line by line. */
  converse(name: PodName | 'host', script: string): Conversation {
    const child = spawn('ip', ['netns', 'exec', this.bed.nameOf(name), process.execPath, '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      say: (text) => void child.stdin.write(text),
      next: async () => String((await lines.next()).value),
    };
  }

  rules(name: PodName | 'host'): string {
    return this.bed.exec(name, 'nft', 'list', 'ruleset');
  }

  /** An answer of the agent's health server. */
  health(path: string): { readonly status: number; readonly body: string } {
    const script = `const r = await fetch('http://127.0.0.1:${healthPort}${path}'); console.log(JSON.stringify({ status: r.status, body: await r.text() }));`;
    return JSON.parse(this.bed.exec('host', process.execPath, '--input-type=module', '-e', script)) as {
      status: number;
      body: string;
    };
  }

  conf(): string {
    return readFileSync(this.confPath, 'utf8');
  }

  /** Resolves once `holds`; what a process does on the side announces itself to nobody. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (!holds()) {
      if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${what}; the agent says:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies) await proxy[Symbol.asyncDispose]();
    for (const child of this.#children) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await this.kube[Symbol.asyncDispose]();
    this.bed[Symbol.dispose]();
    rmSync(this.directory, { recursive: true });
  }
}

export function addressOf(name: PodName): string {
  return `${subnets[name]}.2`;
}

export function uidOf(name: PodName): string {
  return name === 'ledger' ? '11111111-aaaa-4bbb-8ccc-000000000001' : '22222222-aaaa-4bbb-8ccc-000000000002';
}
