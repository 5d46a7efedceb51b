/** A proxy that goes on answering until it is closed, and remembers what it was told. */
import { ACK, FakeProxy, SNAPSHOT_SENT } from './fake-proxy.ts';

/** What it was told of a pod. */
export type Told = {
  readonly kind: 'add' | 'keep' | 'del' | 'snapshot';
  readonly hex: string;
  readonly inode: bigint | undefined;
};

export class ServingProxy implements AsyncDisposable {
  readonly told: Told[] = [];
  readonly #proxy: FakeProxy;
  readonly #running: Promise<void>;

  private constructor(proxy: FakeProxy, answer: () => string | undefined) {
    this.#proxy = proxy;
    this.#running = this.#serve(answer);
  }

  /** `answer` gives each answer as hex; `undefined` keeps silent. */
  static async dial(path: string, answer: () => string | undefined = () => ACK): Promise<ServingProxy> {
    return new ServingProxy(await FakeProxy.dial(path), answer);
  }

  /** Kinds, in order, of what it was told about the pod of this uid; snapshots included. */
  about(uid: string): readonly Told['kind'][] {
    const text = Buffer.from(uid).toString('hex');
    return this.told.filter(({ kind, hex }) => kind === 'snapshot' || hex.includes(text)).map(({ kind }) => kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
    await this.#running;
  }

  async #serve(answer: () => string | undefined): Promise<void> {
    for (;;) {
      const packet = await this.#proxy.next().catch(() => undefined);
      if (packet === undefined) return;
      this.told.push({ kind: kindOf(packet.hex), hex: packet.hex, inode: packet.inodes[0] });
      const hex = answer();
      try {
        if (hex !== undefined) this.#proxy.send(hex);
      } catch {
        return;
      }
    }
  }
}

function kindOf(hex: string): Told['kind'] {
  if (hex === SNAPSHOT_SENT) return 'snapshot';
  if (hex.startsWith('0a')) return 'add';
  return hex.startsWith('2a') ? 'keep' : 'del';
}
