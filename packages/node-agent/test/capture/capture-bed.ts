/** Captures on a fake clock, whose finder, rules, proxy and API are small and say in order what was done to them. */
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { Captures } from '../../src/capture/captures.ts';
import type { AddOutcome, CaptureDeps, Mark } from '../../src/capture/capture-state.ts';
import type { PodConnections } from '../../src/capture/pod-connections.ts';
import type { Redirection } from '../../src/redirect/redirection.ts';
import type { NodePod } from '../../src/watch/pod-object.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export const nodePod = (more: Partial<NodePod> = {}): NodePod => ({
  uid: 'uid-a',
  name: 'a',
  namespace: 'bank',
  labels: {},
  annotations: {},
  hostNetwork: false,
  serviceAccount: 'sa',
  phase: 'Running',
  podIps: ['10.0.0.1'],
  terminating: false,
  ...more,
});

export class CaptureBed implements AsyncDisposable {
  readonly clock: FakeClock = new FakeClock();
  readonly captures: Captures;
  /** What was done, in order. */
  readonly done: string[] = [];
  readonly events: string[] = [];
  /** What the pod has: rules, in words. */
  rules: 'none' | 'out' | 'all' | 'old' | 'let go' = 'none';
  outcome: AddOutcome = { kind: 'acked' };
  open: PodConnections = { outside: [], direct: [], proxied: 0 };
  /** How often connections were counted. */
  looks = 0;
  isFindable = true;
  /** Makes installing fail with these words. */
  broken: string | undefined;
  /** Namespaces given away that are to be closed by whoever took them. */
  readonly given: NetworkNamespace[] = [];

  constructor() {
    this.captures = new Captures({}, this.#deps());
  }

  netns(): NetworkNamespace {
    const netns = NetworkNamespace.current();
    this.given.push(netns);
    return netns;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await turn();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  /** What was done since the last time. */
  news(): readonly string[] {
    return this.done.splice(0);
  }

  get leaks(): number {
    return this.given.filter(({ fd }) => fd >= 0).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.captures[Symbol.asyncDispose]();
  }

  #deps(): CaptureDeps {
    const say = (what: string): void => void this.done.push(what);
    return {
      finder: {
        find: async () =>
          this.isFindable ? { kind: 'found', netns: this.netns() } : { kind: 'missing', reason: 'no process of it' },
      },
      redirector: {
        hasBegun: async () => this.rules !== 'none' && this.rules !== 'let go',
        inspect: async () => ({
          deviations: this.rules === 'all' ? [] : ['inbound'],
          captures: this.rules === 'all' || this.rules === 'old',
        }),
        install: async (_netns, redirection, _signal, meanwhile) => {
          if (this.broken !== undefined) throw new Error(this.broken);
          this.rules = nameOf(redirection);
          say(`rules: ${this.rules}${meanwhile === 'open' ? '' : ', closed meanwhile'}`);
        },
        remove: async () => {
          this.rules = 'none';
          say('rules: none');
        },
      },
      handover: {
        addPod: async () => {
          say(`proxy: ${this.outcome.kind}`);
          return this.outcome;
        },
        removePod: async () => say('proxy: del'),
      },
      connectionsOf: () => {
        this.looks++;
        return this.open;
      },
      probes: { add: async (_uid, ips) => say(`probes: ${ips.join()}`), remove: async () => say('probes: none') },
      annotate: (_pod: NodePod, mark: Mark) => say(`annotation: ${mark ?? 'none'}`),
      onEvent: (event) => this.events.push(event),
      clock: this.clock,
      random: new FakeRandom(),
      logger: silentLogger,
    };
  }
}

function nameOf({ inboundCapture, outboundCapture }: Redirection): 'out' | 'all' | 'let go' {
  if (outboundCapture === false) return 'let go';
  return inboundCapture === false ? 'out' : 'all';
}
