/** What crosses the link of a node, as an eavesdropper there sees it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { PcapDecoder } from '@clearmesh/lab/wiretap/pcap';
import { summarise } from '@clearmesh/lab/wiretap/summary';
import type { WireReport } from '@clearmesh/lab/wiretap/summary';
import type { Packet, TcpSegment } from '@clearmesh/lab/wiretap/packet';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';

/** Only ztunnels listen there, and they take nothing but TLS. */
const hbonePort = 15_008;
/**
 * Only the control plane listens there, with nothing but TLS either. After a reboot its pod may have the address that a pod of
 * the mesh had, and a connection to it may be older than the recording.
 */
const controlPlanePort = 15_012;

/** Which connections that were open before the recording are left out: their handshake, by which one knows TLS, is not in it. */
type LeftOut = 'older tunnels' | 'all that is older';

function without(leftOut: LeftOut, packets: readonly Packet[]): readonly Packet[] {
  const begun = new Set(packets.flatMap(({ content }) => (content.kind === 'tcp' && content.flags.syn ? keyOf(content) : [])));
  return packets.filter(({ content }) => {
    if (content.kind !== 'tcp') return true;
    const isMeant = leftOut === 'all that is older' || isAt(hbonePort, content) || isAt(controlPlanePort, content);
    return !isMeant || begun.has(keyOf(content));
  });
}

function isAt(port: number, { source, destination }: TcpSegment): boolean {
  return source.port === port || destination.port === port;
}

function keyOf({ source, destination }: TcpSegment): string {
  return [source, destination].map(formatSocketAddress).sort().join(' ');
}

export class NodeLink implements AsyncDisposable {
  readonly #recorder: ChildProcess;
  readonly #folder: string;

  private constructor(recorder: ChildProcess, folder: string) {
    this.#recorder = recorder;
    this.#folder = folder;
  }

  /** Records what passes `device` of a network namespace, TCP of pods only; listening when it resolves. */
  static async record(namespace: string, device: string): Promise<NodeLink> {
    const folder = await mkdtemp(join(tmpdir(), 'clearmesh-link-'));
    const file = join(folder, 'link.pcap');
    const options = ['-i', device, '-n', '-U', '-w', file, '--immediate-mode', '-Z', 'root', 'tcp and net 10.244.0.0/16'];
    const recorder = spawn('ip', ['netns', 'exec', namespace, 'tcpdump', ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(recorder, 'exit').then(() => {
      throw new Error('tcpdump ended before it listened');
    });
    const listening = new Promise<void>((resolve) => {
      recorder.stderr.setEncoding('utf8').on('data', (text: string) => text.includes('listening on') && resolve());
    });
    await Promise.race([listening, ended]);
    ended.catch(() => {});
    return new NodeLink(recorder, folder);
  }

  /** Ends the recording and judges it: between which pods anything was readable. */
  async judge(
    pods: ReadonlySet<string>,
    secrets: readonly string[],
    leftOut: LeftOut = 'older tunnels',
  ): Promise<WireReport & { readonly tunnelPackets: number }> {
    await this.#end();
    const decoder = new PcapDecoder();
    const packets: readonly Packet[] = decoder.push(await readFile(join(this.#folder, 'link.pcap')));
    const wanted = secrets.map((secret) => Buffer.from(secret));
    const { secretsSeen } = summarise(packets, { pods: new Set(), secrets: wanted });
    const tunnelPackets = packets.filter(({ content }) => content.kind === 'tcp' && isAt(hbonePort, content)).length;
    return { ...summarise(without(leftOut, packets), { pods, secrets: wanted }), secretsSeen, tunnelPackets };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    if (this.#recorder.exitCode !== null || this.#recorder.signalCode !== null) return;
    const exited = once(this.#recorder, 'exit');
    this.#recorder.kill('SIGTERM');
    await exited;
  }
}
