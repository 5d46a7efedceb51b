/** Two pods of a node with an agent, and a proxy that believes their annotations as fast as the control plane can be. */
import { join } from 'node:path';
import { AgentBed, addressOf } from './agent-bed.ts';
import { server } from './asking-client.ts';
import { TunnellingProxy } from './tunnelling-proxy.ts';

export const podNames = ['ledger', 'payments'] as const;

const redirection = 'ambient.istio.io/redirection';

export class AnnotatedPods implements AsyncDisposable {
  readonly bed: AgentBed;
  /** Every annotation that was written since it was emptied. */
  said: string[] = [];
  readonly #inMesh = new Set<string>();
  #proxy: TunnellingProxy | undefined;

  private constructor(bed: AgentBed) {
    this.bed = bed;
    // Whoever says pending for a moment only is believed.
    bed.kube.onPod = ({ metadata }) => {
      const mark = metadata.annotations?.[redirection] ?? 'none';
      this.said.push(mark);
      this.#inMesh[mark === 'enabled' ? 'add' : 'delete'](addressOf(metadata.name === 'ledger' ? 'ledger' : 'payments'));
    };
  }

  static async start(): Promise<AnnotatedPods> {
    const bed = await AgentBed.start();
    const pods = new AnnotatedPods(bed);
    for (const [index, name] of podNames.entries()) {
      bed.pod(name);
      bed.process(name, 41 + index);
    }
    await bed.serve('ledger', server);
    return pods;
  }

  /** How often the agent that runs has logged this. */
  logged(what: string): number {
    return this.bed.log.split(what).length - 1;
  }

  /** Gives the agent that runs its proxy, the same one as the agent before; both pods are captured when it resolves. */
  async dial(): Promise<TunnellingProxy> {
    const socket = join(this.bed.directory, 'zds.sock');
    const known = this.#proxy;
    const dial = (): Promise<TunnellingProxy> => TunnellingProxy.dial(socket, (ip) => this.#inMesh.has(ip));
    const proxy = await this.bed.dialled(() => (known === undefined ? dial() : known.redial(socket).then(() => known)));
    this.#proxy = proxy;
    await this.bed.until(() => this.logged('pod captured') === 2, 'both pods to be captured');
    return proxy;
  }

  /** What was said of them that is not `enabled`. */
  get otherMarks(): readonly string[] {
    return this.said.filter((mark) => mark !== 'enabled');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed[Symbol.asyncDispose]();
  }
}
