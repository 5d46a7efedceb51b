import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { bounded, untilEnd } from './path/applications.ts';

const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const quiet = {
  NODE_NAME: 'node-a',
  XDS_ADDRESS: '',
  CA_ADDRESS: '',
  LOG_FORMAT: 'json',
  INPOD_UDS: '/nonexistent/ztunnel.sock',
};

/** The proxy as a process in a network namespace of its own, since its ports are fixed. */
class ZtunnelProcess {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  output = '';
  #wake: () => void = () => {};

  /** @param before programs that start it */
  constructor(namespace: string, env: Readonly<Record<string, string>>, before: readonly string[] = []) {
    const environment = { PATH: process.env['PATH'] ?? '', ...env };
    this.child = spawn('ip', ['netns', 'exec', namespace, ...before, process.execPath, program], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        this.#wake();
      });
    }
    this.exit = once(this.child, 'close').then(([status]) => status as number | null);
  }

  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      const more = new Promise<void>((resolve) => (this.#wake = resolve));
      await bounded(
        Promise.race([more, this.exit.then(() => Promise.reject(new Error(`it ended: ${this.output}`)))]),
        String(pattern),
      );
    }
  }
}

describe('the ztunnel process', () => {
  let bed: NamespaceBed;
  let namespace: NetworkNamespace;
  let proxy: ZtunnelProcess;

  const start = (env: Readonly<Record<string, string>>, before?: readonly string[]): ZtunnelProcess =>
    (proxy = new ZtunnelProcess(bed.nameOf('node'), env, before));

  const http = async (port: number, request: string): Promise<string> => {
    const socket = await connectTcp({ namespace, target: { ip: '127.0.0.1', port } }, AbortSignal.timeout(5_000));
    socket.write(`${request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    const { data } = await untilEnd(socket);
    socket.destroy();
    return data.toString();
  };

  beforeEach(() => {
    bed = new NamespaceBed();
    namespace = bed.add('node');
  });

  afterEach(async () => {
    proxy.child.kill('SIGKILL');
    await proxy.exit;
    bed[Symbol.dispose]();
  });

  it('refuses an unusable environment with status 1 and names each variable', async () => {
    start({ PACKET_MARK: 'x' });
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(/2 unusable.*NODE_NAME="".*PACKET_MARK="x".*MESH-CONFIG-003/s);
  });

  it('refuses to serve one workload whose name it is not told', async () => {
    start({ PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'bank/ledger' });
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(
      /PROXY_WORKLOAD_INFO="bank\/ledger": set it to NAMESPACE\/NAME\/SERVICEACCOUNT.*MESH-CONFIG-003/s,
    );
  });

  it('serves one workload without a node’s name and without a right to enter namespaces, once it knows the mesh', async () => {
    const info = { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'bank/ledger/ledger-sa' };
    const { NODE_NAME: _, ...rest } = quiet;
    start({ ...rest, ...info }, ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--reuid=65534', '--clear-groups']);
    await proxy.says(/ztunnel started/);
    expect(await http(15_021, 'GET /healthz/ready')).to.match(/ 500 .*not ready, pending: dns proxy, proxy, state manager\n$/s);
  });

  it('serves readiness, metrics and the dump before it knows anything', async () => {
    start(quiet);
    await proxy.says(/ztunnel started/);
    expect(await http(15_021, 'GET /healthz/ready')).to.match(
      / 500 .*not ready, pending: state manager, workload proxy manager\n$/s,
    );
    expect(await http(15_020, 'GET /metrics')).to.match(/istio_build\{component="ztunnel"/);
    expect(await http(15_000, 'GET /config_dump')).to.match(/"workloadState": \{\}/);
    expect(await http(15_000, 'POST /logging?level=info,access=debug')).to.match(/current log level is info,access=debug/);
  });

  it('takes what the environment leaves open from PROXY_CONFIG', async () => {
    start({ ...quiet, PROXY_CONFIG: 'discoveryAddress: istiod:15012\nstatsPort: 15555' });
    await proxy.says(/ztunnel started/);
    expect(await http(15_555, 'GET /metrics')).to.match(/istio_build\{component="ztunnel"/);
    expect(await http(15_000, 'GET /config_dump')).not.to.match(/istiod:15012/);
  });

  it('ends with status 1 when PROXY_CONFIG cannot be used, and says where', async () => {
    start({ ...quiet, PROXY_CONFIG: 'statsPort: x' });
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(/PROXY_CONFIG:1:12: statsPort: must be of type integer \(found "x"\)/);
  });

  it('may have open as many files as the hard limit lets it, and says that those are few', async () => {
    start(quiet, ['prlimit', '--nofile=256:4096']);
    await proxy.says(/ztunnel started/);
    expect(await http(15_020, 'GET /metrics')).to.match(/^process_max_fds 4096$/m);
    expect(proxy.output).to.match(/"level":"warn".*raise the hard limit.*"files":4096/);
  });

  it('knows the mesh of a local configuration without a control plane', async () => {
    const mesh = 'workloads: [{ name: ledger-0, namespace: bank, workloadIps: [10.0.0.1], node: node-a, protocol: HBONE }]';
    start({ ...quiet, LOCAL_XDS: mesh, FAKE_CA: 'true', ALLOW_FAKE_CA: 'true' });
    await proxy.says(/certificate issued.*bank\/sa\/default/);
    expect(proxy.output).to.match(/"level":"warn".*FAKE_CA: .*for tests only/);
    expect(await http(15_021, 'GET /healthz/ready')).to.match(/not ready, pending: workload proxy manager\n$/s);
    expect(await http(15_000, 'GET /config_dump')).to.match(/"uid": "Kubernetes\/\/Pod\/bank\/ledger-0"/);
  });

  it('ends with status 1 when its local configuration cannot be used, and says where', async () => {
    start({ ...quiet, LOCAL_XDS: 'workloads: [{ uid: a }]' });
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(/LOCAL_XDS:1:13: workloads\[0\]\.namespace: is missing/);
  });

  it('drains on SIGTERM and ends with status 0', async () => {
    start(quiet);
    await proxy.says(/ztunnel started/);
    proxy.child.kill('SIGTERM');
    expect(await bounded(proxy.exit, 'the exit')).to.equal(0);
    expect(proxy.output).to.match(/drain requested.*shutdown complete/s);
  });

  it('ends with status 1 and says why when it can accept nothing for long', async () => {
    start({ ...quiet, ACCEPT_FAILURE_DEADLINE: '400ms' }, ['prlimit', '--nofile=48:48']);
    await proxy.says(/ztunnel started/);
    // Each takes a descriptor of the proxy, for the two seconds in which a request must come.
    const held = Array.from({ length: 48 }, () =>
      connectTcp({ namespace, target: { ip: '127.0.0.1', port: 15_020 } }, AbortSignal.timeout(5_000)),
    );
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(/every new one is closed.*no connection could be accepted for 400 ms/s);
    for (const socket of await Promise.all(held)) socket.on('error', () => {}).destroy();
  });

  it('drains when the operator says quit', async () => {
    start(quiet);
    await proxy.says(/ztunnel started/);
    expect(await http(15_000, 'POST /quitquitquit')).to.match(/shutdown now\n$/);
    expect(await bounded(proxy.exit, 'the exit')).to.equal(0);
  });

  it('says why it cannot start when a port is taken, and ends with status 1', async () => {
    const first = start(quiet);
    await first.says(/ztunnel started/);
    start(quiet);
    expect(await bounded(proxy.exit, 'the exit')).to.equal(1);
    expect(proxy.output).to.match(/15021.*EADDRINUSE/s);
    first.child.kill('SIGKILL');
    await first.exit;
  });
});
