/**
 * Follows the root's Secrets while the control plane runs, so that an authority is replaced without a restart.
 *
 *   asking ── as in force ──▶ resting (15 s) ──▶ asking
 *      ├── may take over ──▶ in force, everybody told ──▶ resting
 *      └── waits | may not | cannot be read | gone ──▶ said once, metric 1, the one in force stays ──▶ resting
 *
 * W1  what is in force stays until something usable may take over.
 * W2  a bank's own authority that goes away is not replaced by the mesh's own root: proxies do not trust it.
 */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { answerText } from '../kubernetes/api-answer.ts';
import { readClusterRoot } from './cluster-root.ts';
import { decideSuccession } from './root-succession.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { ClusterRoot, ClusterRootOptions } from './cluster-root.ts';
import type { CurrentRoot } from './current-root.ts';

type Deps = {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly root: CurrentRoot;
  readonly metrics: Pick<ControlPlaneMetrics, 'rootPending'>;
};

/** Between two looks, milliseconds, ±20 %. */
const restMs = 15_000;
const remedy =
  'Mend the Secret. In an emergency start the control plane again, which takes what is there; proxies that have not heard refuse each other until they have.';

export class ClusterRootWatch implements AsyncDisposable {
  readonly #options: ClusterRootOptions;
  readonly #deps: Deps;
  readonly #stop = new AbortController();
  /** By fingerprint; those of the start were given out before. */
  readonly #givenOutMs = new Map<string, number>();
  #secret: ClusterRoot['secret'];
  #said = '';
  #running: Promise<void> = Promise.resolve();

  constructor({ opened, ...options }: ClusterRootOptions & { readonly opened: ClusterRoot }, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#secret = opened.secret;
  }

  start(): void {
    this.#deps.metrics.rootPending.set(0);
    this.#running = this.#follow(this.#stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    while (!signal.aborted) {
      await delay(clock, restMs * (0.8 + 0.4 * random.unit()), signal).catch(() => {});
      if (!signal.aborted) await this.#look(signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      const found = await readClusterRoot(this.#options, this.#deps, signal);
      // Not known to have changed: the next look tells.
      if (found.kind === 'failed') this.#deps.logger.debug('the root cannot be looked at', { error: answerText(found.failure) });
      else if (found.kind === 'none') this.#leave(`the Secret ${this.#secret} is gone`);
      else this.#consider(found.root);
    } catch (error) {
      if (!signal.aborted) this.#leave(error instanceof Error ? error.message : String(error));
    }
  }

  #consider({ secret, authority }: ClusterRoot): void {
    // W2.
    if (this.#secret === 'cacerts' && secret !== 'cacerts') return this.#leave(`the Secret ${this.#secret} is gone`);
    const { clock, root } = this.#deps;
    const facts = { inForce: root.authority, offered: authority, givenOutMs: this.#givenOutMs, nowMs: clock.monotonicMs() };
    const step = decideSuccession(facts);
    // A root that is given out before its signer takes over leaves the signer pending.
    const settled = step.kind === 'same' || (step.kind === 'adopt' && step.authority === authority);
    this.#deps.metrics.rootPending.set(settled ? 0 : 1);
    if (step.kind === 'refuse') return this.#leave(step.reason);
    if (step.kind === 'wait') return this.#wait(step.forMs);
    this.#said = '';
    if (settled) this.#secret = secret;
    if (step.kind === 'same') return;
    for (const added of step.added) this.#givenOutMs.set(added, facts.nowMs);
    root.replace(step.authority);
    const { certificate } = step.authority;
    const what = settled ? 'the authority was replaced' : 'the root of a new authority is given out; the signer stays for now';
    this.#deps.logger.info(what, {
      secret,
      signer: certificate.subject,
      serial: certificate.serialNumber,
      added: step.added.join(' '),
      dropped: step.dropped.join(' '),
    });
  }

  /** W1. */
  #leave(problem: string): void {
    this.#deps.metrics.rootPending.set(1);
    if (problem === this.#said) return;
    this.#said = problem;
    this.#deps.logger.error('the authority in the Secret does not take over; the one in force stays', { problem, hint: remedy });
  }

  #wait(forMs: number): void {
    const what = 'the new authority takes over when proxies have heard of its root';
    if (what === this.#said) return;
    this.#said = what;
    this.#deps.logger.info(what, { seconds: Math.ceil(forMs / 1000) });
  }
}
