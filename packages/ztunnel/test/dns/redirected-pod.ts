/** A pod in a network of its own whose DNS is redirected to its proxy, and servers beyond it at .2 and so on. */
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { promisify } from 'node:util';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { Service } from '@clearmesh/shared/model/service';
import { socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { storeOf } from '@clearmesh/shared/testing/pushes';
import { Metrics } from '../../src/admin/metrics.ts';
import { readConfig } from '../../src/config.ts';
import { createPodDns } from '../../src/dns/create-pod-dns.ts';
import { MessageStream, framed } from '../../src/dns/message-stream.ts';
import type { PodDns } from '../../src/dns/pod-dns.ts';
import { upstreamAnswer } from './messages.ts';

const run = promisify(execFile);

/** The DNS rows of l4-contract section 6, for both families, written by hand so that these tests do not lean on the node agent's. */
const rules = `
table inet pod {
  chain raw-in {
    type filter hook prerouting priority raw;
    udp sport 53 meta mark & 0xfff != 0x539 ct zone set 1
  }
  chain raw-out {
    type filter hook output priority raw;
    udp dport 53 meta mark & 0xfff == 0x539 ct zone set 1
  }
  chain nat-out {
    type nat hook output priority -100;
    udp dport 53 oifname != "lo" meta mark & 0xfff != 0x539 redirect to :15053
    ip daddr != 127.0.0.1 tcp dport 53 meta mark & 0xfff != 0x539 redirect to :15053
    ip6 daddr != ::1 tcp dport 53 meta mark & 0xfff != 0x539 redirect to :15053
  }
}`;

export type Family = 4 | 6;

const podInfo = { name: 'client', namespace: 'bank', serviceAccount: 'default' };

/** What the application runs: `resolver` asks the servers given, `lookup` those of its resolv.conf, as any program does. */
const application = (servers: readonly string[], expression: string): string => `
  import { Resolver, lookup } from 'node:dns/promises';
  const resolver = new Resolver({ timeout: 5500, tries: 1 });
  if (${servers.length} > 0) resolver.setServers(${JSON.stringify(servers)});
  const said = async (asked) => asked.catch((error) => error.code);
  console.log(JSON.stringify(await said(${expression})));`;

/** What opens the DNS proxies of a node's pods; names beyond these services are asked of these resolvers. */
export function createProxies(services: readonly Service[], nameservers: readonly string[]): ReturnType<typeof createPodDns> {
  const config = readConfig({ NODE_NAME: 'node-a' });
  if (config.dns === undefined) throw new Error('the DNS proxy is off');
  return createPodDns(config.dns, config, {
    store: storeOf({ workloads: [workload()], services }),
    metrics: new Metrics({ version: 'test' }, { clock: systemClock }),
    log: { scope: () => silentLogger },
    clock: systemClock,
    random: systemRandom,
    nameservers: nameservers.map(socketAddress),
  });
}

export class RedirectedPod implements AsyncDisposable {
  readonly family: Family;
  readonly #name: string;
  readonly #bed = new NamespaceBed();
  readonly #pod: NetworkNamespace;
  readonly #far: NetworkNamespace;
  readonly #servers: { close(): void }[] = [];
  readonly #proxies: PodDns[] = [];

  /** @param name several pods at a time have different ones, and each a network of its own with the same addresses */
  constructor(family: Family, name = 'pod') {
    this.family = family;
    this.#name = name;
    const far = `${name}-far`;
    this.#pod = this.#bed.add(name).duplicate();
    this.#far = this.#bed.add(far).duplicate();
    const hosts = [2, 3, 4].flatMap((host) => [`10.79.0.${host}/24`, `fd79::${host}/64`]);
    this.#bed.link(
      { namespace: name, device: 'eth0', addresses: ['10.79.0.1/24', 'fd79::1/64'] },
      { namespace: far, device: 'eth0', addresses: hosts },
    );
    this.#bed.exec(name, 'nft', rules);
  }

  /** Of a host in the network: 1 is the pod, 2 to 4 are beyond it. */
  ip(host: number): string {
    return this.family === 4 ? `10.79.0.${host}` : `fd79::${host}`;
  }

  /** Port 53 of a host. */
  server(host: number): string {
    return this.family === 4 ? `${this.ip(host)}:53` : `[${this.ip(host)}]:53`;
  }

  /** Answers every question at a host with an address, or not at all; who asks, and how, is in the list. */
  async serve(host: number, address: string | undefined): Promise<readonly string[]> {
    const asked: string[] = [];
    const answer = (message: Buffer): Buffer | undefined =>
      address === undefined ? undefined : upstreamAnswer(message, { address });
    const datagrams = dgram.createSocket(this.family === 4 ? 'udp4' : 'udp6');
    datagrams.on('message', (message, from) => {
      asked.push(`udp from ${from.address}`);
      const bytes = answer(message);
      if (bytes !== undefined) datagrams.send(bytes, from.port, from.address);
    });
    datagrams.bind({ fd: datagramSocket({ namespace: this.#far, ip: this.ip(host), port: 53 }).fd, exclusive: true });
    const converse = async (socket: net.Socket): Promise<void> => {
      asked.push(`tcp from ${socket.on('error', () => {}).remoteAddress}`);
      for await (const message of new MessageStream(socket)) {
        const bytes = answer(message);
        if (bytes !== undefined) socket.write(framed(bytes));
      }
    };
    // The asker may go at any time.
    const streams = net.createServer((socket) => void converse(socket).catch(() => {}));
    streams.listen({ fd: listenSocket({ namespace: this.#far, ip: this.ip(host), port: 53 }).fd });
    await once(streams, 'listening');
    this.#servers.push(datagrams, streams);
    return asked;
  }

  /** The proxy of the pod. */
  startProxy(open: ReturnType<typeof createPodDns>): PodDns {
    const proxy = open({ uid: this.#name, info: podInfo, namespace: this.#pod });
    this.#proxies.push(proxy);
    return proxy;
  }

  /** What an application of the pod learns: it asks these servers, or (none) those that its resolv.conf names. */
  async asks(servers: readonly string[], expression: string): Promise<unknown> {
    const program = ['--input-type=module', '--eval', application(servers, expression)];
    const { stdout } = await run('ip', ['netns', 'exec', this.#bed.nameOf(this.#name), process.execPath, ...program]);
    return JSON.parse(stdout) as unknown;
  }

  /** Its /etc/resolv.conf from now on (ip-netns(8) puts it there). */
  writeResolverConfig(text: string): void {
    mkdirSync(this.#etc, { recursive: true });
    writeFileSync(`${this.#etc}/resolv.conf`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies) proxy[Symbol.dispose]();
    for (const server of this.#servers) server.close();
    for (const namespace of [this.#pod, this.#far]) namespace[Symbol.dispose]();
    this.#bed[Symbol.dispose]();
    rmSync(this.#etc, { recursive: true, force: true });
  }

  get #etc(): string {
    return `/etc/netns/${this.#bed.nameOf(this.#name)}`;
  }
}
