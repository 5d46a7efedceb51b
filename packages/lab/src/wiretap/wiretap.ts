/**
 * A capture of the link between two nodes.
 *
 *   starting ── "listening on" ──▶ recording ── dispose, or the recorder's death ──▶ ended
 *
 * R1  packets() misses nothing that crossed the link before the call: it sends a packet of its own over the link and
 *     reads the file until that one is in it. Its packets are left out of what it gives.
 * R2  what is kept in memory is bounded; a longer capture is an error, never a silent gap.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { RunTool } from '../host/run-tool.ts';
import type { SpawnOptions, SupervisedProcess } from '../process/supervised-process.ts';
import { namespacePath } from '../topology/names.ts';
import type { LinkEnd } from '../topology/plan.ts';
import { PcapDecoder } from './pcap.ts';
import type { Packet } from './packet.ts';
import { recorderCommand } from './recorder.ts';
import { summarise } from './summary.ts';
import type { SummaryOptions, WireReport } from './summary.ts';

export type WiretapOptions = {
  /** Where to listen. */
  readonly end: LinkEnd;
  /** The node at the other end of the link. */
  readonly peerIp: string;
  /** The capture file (classic pcap), which must not exist yet. */
  readonly file: string;
  /** Bytes of capture kept in memory. @default 268435456 */
  readonly maxBytes?: number;
};

export type WiretapDeps = {
  readonly spawn: (options: SpawnOptions) => Promise<SupervisedProcess>;
  readonly run: RunTool;
  readonly clock: Clock;
  readonly random: Random;
};

const startPatienceMs = 5000;
const flushPatienceMs = 5000;
const pollMs = 5;
const chunkBytes = 1024 * 1024;

export class Wiretap implements AsyncDisposable {
  readonly #options: WiretapOptions;
  readonly #deps: WiretapDeps;
  readonly #recorder: SupervisedProcess;
  readonly #input: FileHandle;
  readonly #decoder = new PcapDecoder();
  readonly #packets: Packet[] = [];
  readonly #markers = new Set<number>();
  /** One reader of the file at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #state: 'recording' | 'ended' = 'recording';

  private constructor(options: WiretapOptions, deps: WiretapDeps, recorder: SupervisedProcess, input: FileHandle) {
    this.#options = options;
    this.#deps = deps;
    this.#recorder = recorder;
    this.#input = input;
    void recorder.exited.then(() => {
      this.#state = 'ended';
    });
  }

  /** Listens when it resolves: every later packet is captured. */
  static async start(options: WiretapOptions, deps: WiretapDeps): Promise<Wiretap> {
    const ready = Promise.withResolvers<void>();
    const command = await recorderCommand(options.end, options.file, deps);
    const recorder = await deps.spawn({
      name: `wiretap ${options.end.device}`,
      namespacePath: namespacePath(options.end.namespace),
      command,
      onLine: (_stream, line) => (line.includes('listening on') ? ready.resolve() : undefined),
    });
    void recorder.exited.then(() => ready.reject(failure(recorder, 'ended')));
    const cancel = deps.clock.after(startPatienceMs, () => ready.reject(failure(recorder, 'does not start')));
    try {
      await ready.promise;
      return new Wiretap(options, deps, recorder, await open(options.file, 'r'));
    } catch (error) {
      recorder.kill();
      throw error;
    } finally {
      cancel();
    }
  }

  /** The capture file (classic pcap). */
  get file(): string {
    return this.#options.file;
  }

  /** Everything that crossed the link from the start to this call (R1). */
  packets(): Promise<readonly Packet[]> {
    const result = this.#last.then(() => this.#flush());
    this.#last = result.catch(() => {});
    return result;
  }

  /** {@link packets}, summarised. */
  async report(options: SummaryOptions): Promise<WireReport> {
    return summarise(await this.packets(), options);
  }

  /** Stops listening; the file stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    await this.#recorder.stop(startPatienceMs);
    await this.#input.close();
  }

  async #flush(): Promise<readonly Packet[]> {
    const from = this.#packets.length;
    const port = this.#newMarker();
    await this.#sendMarker(port);
    const deadline = AbortSignal.timeout(flushPatienceMs);
    for (;;) {
      const isLastLook = this.#state === 'ended';
      await this.#readMore();
      const end = this.#packets.findIndex((packet, index) => index >= from && isTo(packet, this.#options.peerIp, port));
      if (end !== -1) return this.#packets.slice(0, end).filter((packet) => !this.#isMarker(packet));
      if (isLastLook) throw failure(this.#recorder, 'ended');
      await delay(this.#deps.clock, pollMs, deadline).catch((cause: unknown) => {
        throw failure(this.#recorder, `does not show a packet sent ${flushPatienceMs / 1000} s ago`, cause);
      });
    }
  }

  /** A port that no program of a lab uses: above the ephemeral range (ip_local_port_range). */
  #newMarker(): number {
    const port = 61_000 + Math.floor(this.#deps.random.unit() * 4000);
    if (this.#markers.has(port) && this.#markers.size < 4000) return this.#newMarker();
    this.#markers.add(port);
    return port;
  }

  /** A connection that nobody accepts: its SYN crosses the link after all that was sent before. */
  async #sendMarker(port: number): Promise<void> {
    using namespace = NetworkNamespace.open(namespacePath(this.#options.end.namespace));
    const target = { ip: this.#options.peerIp, port };
    await connectTcp({ namespace, target }, AbortSignal.timeout(flushPatienceMs)).then(
      (socket) => socket.destroy(),
      () => {},
    );
  }

  async #readMore(): Promise<void> {
    for (;;) {
      const { bytesRead, buffer } = await this.#input.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, this.#bytes);
      if (bytesRead === 0) return;
      this.#bytes += bytesRead;
      const limit = this.#options.maxBytes ?? 256 * 1024 * 1024;
      if (this.#bytes > limit) throw failure(this.#recorder, `captured more than ${limit} bytes`);
      for (const packet of this.#decoder.push(buffer.subarray(0, bytesRead))) this.#packets.push(packet);
      if (this.#decoder.failure !== undefined) throw failure(this.#recorder, `wrote no capture: ${this.#decoder.failure}`);
    }
  }

  #isMarker({ content }: Packet): boolean {
    if (content.kind !== 'tcp') return false;
    const { source, destination } = content;
    return [source, destination].some(({ ip, port }) => ip === this.#options.peerIp && this.#markers.has(port));
  }
}

function isTo({ content }: Packet, ip: string, port: number): boolean {
  return content.kind === 'tcp' && content.destination.ip === ip && content.destination.port === port;
}

function failure(recorder: SupervisedProcess, what: string, cause?: unknown): MeshError {
  return new MeshError('MESH-LAB-001', { message: `${recorder.name} ${what}: ${recorder.tail().join(' / ')}`, cause });
}
