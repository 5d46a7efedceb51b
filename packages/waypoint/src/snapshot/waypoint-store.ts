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

export type WaypointStoreDeps<C extends Compiled> = {
  readonly compile: (configuration: WaypointConfiguration, revision: string) => Compilation<C>;
  /** Hears of each new one, after it is in force. */
  readonly onChange: (compiled: C) => void;
  readonly metrics: { configurationAccepted(): void; configurationRejected(): void };
  readonly logger: Logger;
};

export class WaypointStore<C extends Compiled> {
  readonly #name: string;
  readonly #empty: C;
  readonly #deps: WaypointStoreDeps<C>;
  #current: C;
  #revision = '';

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
      rejections.push({ name, reason });
    }
    return rejections;
  }

  /** Why it was not taken. */
  #take(value: Uint8Array): string | undefined {
    const decoded = decodeWaypointConfiguration(value);
    if (decoded.kind === 'rejected') return decoded.reason;
    const revision = createHash('sha256').update(value).digest('hex').slice(0, 12);
    const compilation = this.#deps.compile(decoded.configuration, revision);
    if (compilation.kind === 'rejected') return compilation.reason;
    this.#deps.metrics.configurationAccepted();
    this.#replace(compilation.compiled, revision);
    return undefined;
  }

  #replace(compiled: C, revision: string): void {
    this.#current = compiled;
    this.#revision = revision;
    this.#deps.logger.info('configuration in force', { revision, services: compiled.configuration.services.length });
    this.#deps.onChange(compiled);
  }
}
