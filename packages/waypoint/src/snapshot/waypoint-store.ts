/**
 * Keeps what the control plane told this waypoint: one configuration, compiled whole and replaced whole.
 *
 * W1  A configuration that cannot be decoded or compiled is rejected; the last good one keeps serving, and the control
 *     plane hears why (NACK).
 * W2  Exchanges keep the configuration they began with; a new one never touches a stream in flight.
 * W3  Without its configuration a waypoint serves nothing: a removal empties it, so that CONNECTs are refused.
 */
import { createHash } from 'node:crypto';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import { decodeWaypointConfiguration, waypointResourceName } from '@clearmesh/shared/wire/waypoint-configuration';

/** A configuration with everything that can be prepared once. */
export interface Compiled {
  readonly configuration: WaypointConfiguration;
}

/** The compiled form, or what of the configuration cannot be used. */
export type Compilation<C extends Compiled> =
  | { readonly kind: 'compiled'; readonly compiled: C }
  | { readonly kind: 'rejected'; readonly reason: string };

/** A configuration that was not taken, and why. */
export type Rejected = { readonly revision: string; readonly rejectedAtMs: number; readonly problem: string };

export type WaypointStoreDeps<C extends Compiled> = {
  readonly compile: (configuration: WaypointConfiguration, revision: string) => Compilation<C>;
  /** Hears of each new one, after it is in force. */
  readonly onChange: (compiled: C) => void;
  readonly metrics: { configurationAccepted(): void; configurationRejected(): void };
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
};

export class WaypointStore<C extends Compiled> {
  readonly #name: string;
  readonly #empty: C;
  readonly #deps: WaypointStoreDeps<C>;
  #current: C;
  #revision = '';
  #acceptedAtMs: number | undefined;
  #rejected: Rejected | undefined;

  /** `empty` is in force before the first configuration, and after a removal. */
  constructor(options: { readonly namespace: string; readonly name: string; readonly empty: C }, deps: WaypointStoreDeps<C>) {
    this.#name = waypointResourceName(options);
    this.#empty = options.empty;
    this.#current = options.empty;
    this.#deps = deps;
  }

  get current(): C {
    return this.#current;
  }

  /** When the configuration in force came, since the epoch; `undefined` without one. */
  get acceptedAtMs(): number | undefined {
    return this.#acceptedAtMs;
  }

  /** The last one that was not taken, until a better one came. */
  get rejected(): Rejected | undefined {
    return this.#rejected;
  }

  /** Hash of the configuration in force; "" before the first. */
  get revision(): string {
    return this.#revision;
  }

  /** Applies a push of configurations; those of other waypoints are rejected. */
  apply(push: DeltaPush): readonly Rejection[] {
    const rejections: Rejection[] = [];
    if (push.removed.includes(this.#name)) this.#replace(this.#empty, '');
    for (const { name, value } of push.upserts) {
      const reason = name === this.#name ? this.#take(value) : 'this is another waypoint’s configuration';
      if (reason === undefined) continue;
      this.#deps.metrics.configurationRejected();
      this.#rejected = { revision: revisionOf(value), rejectedAtMs: this.#deps.clock.now(), problem: reason };
      rejections.push({ name, reason });
    }
    return rejections;
  }

  /** Why it was not taken. */
  #take(value: Uint8Array): string | undefined {
    const decoded = decodeWaypointConfiguration(value);
    if (decoded.kind === 'rejected') return decoded.reason;
    const revision = revisionOf(value);
    const compilation = this.#deps.compile(decoded.configuration, revision);
    if (compilation.kind === 'rejected') return compilation.reason;
    this.#deps.metrics.configurationAccepted();
    this.#replace(compilation.compiled, revision);
    return undefined;
  }

  #replace(compiled: C, revision: string): void {
    this.#current = compiled;
    this.#revision = revision;
    this.#acceptedAtMs = compiled === this.#empty ? undefined : this.#deps.clock.now();
    this.#rejected = undefined;
    this.#deps.logger.info('configuration in force', { revision, services: compiled.configuration.services.length });
    this.#deps.onChange(compiled);
  }
}

function revisionOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 12);
}
