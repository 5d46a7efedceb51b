/**
 * Keeps the snapshot to what a local configuration says, which is read instead of a control plane (l4-contract section 12).
 *
 *   file ──▶ objects ── what differs ──▶ store
 *      └───▶ problems ──▶ log
 *
 * L1  A configuration is taken whole or not at all. At start one that cannot be used ends the start; later ones leave the
 *     last good one serving.
 * L2  Policies come before the workloads that list them, and go after them: nothing is open or shut in between.
 */
import { WatchedFile } from '@clearmesh/shared/lifecycle/watched-file';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { problemError, problemFields, problemsError } from '@clearmesh/shared/document/problem';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { DeltaPush, DeltaUpsert, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import { encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { readLocalObjects } from './read-local-objects.ts';
import type { MeshObjects } from './read-local-objects.ts';
import type { LocalSource } from './local-environment.ts';

export type LocalConfigurationOptions = {
  readonly source: LocalSource;
  /** Of workloads that name no cluster. */
  readonly clusterId: string;
};

export type LocalConfigurationDeps = {
  /** Applies a push and returns what was rejected. */
  readonly apply: (push: DeltaPush) => readonly Rejection[];
  /** Told after each reading whether an older one serves. @default nobody is told */
  readonly onReading?: (isStale: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Larger files are not read; a workload takes about 500 bytes. */
const maxBytes = 32 * 1024 * 1024;

/** Problems of a changed file that are logged one by one; a file with more has one cause. */
const maxTold = 20;

/** Resources by name, encoded. */
type Resources = ReadonlyMap<string, Uint8Array>;

export class LocalConfiguration implements Disposable {
  readonly #options: LocalConfigurationOptions;
  readonly #deps: LocalConfigurationDeps;
  readonly #files = new DisposableStack();
  readonly #name: string;
  #isRead = false;
  #failure: MeshError | undefined;
  #addresses: Resources = new Map();
  #policies: Resources = new Map();

  private constructor(options: LocalConfigurationOptions, deps: LocalConfigurationDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#name = options.source.kind === 'file' ? options.source.path : 'LOCAL_XDS';
  }

  /** Resolves when the configuration is applied; rejects with MESH-CONFIG-001 when it cannot be used. */
  static async open(options: LocalConfigurationOptions, deps: LocalConfigurationDeps): Promise<LocalConfiguration> {
    const local = new LocalConfiguration(options, deps);
    if (options.source.kind === 'text') local.#recvText(options.source.text);
    else await local.#watch(options.source.path);
    if (local.#failure === undefined) return local;
    local[Symbol.dispose]();
    throw local.#failure;
  }

  [Symbol.dispose](): void {
    this.#files.dispose();
  }

  #watch(path: string): Promise<void> {
    const onContent = (content: Uint8Array | undefined): void =>
      content === undefined ? this.#recvUnreadable('it is not there') : this.#recvText(new TextDecoder().decode(content));
    const onFailure = (error: Error): void => this.#recvUnreadable(error.message);
    return this.#files.use(new WatchedFile({ path, maxBytes }, { clock: this.#deps.clock, onContent, onFailure })).start();
  }

  #recvText(text: string): void {
    const reading = readLocalObjects(this.#name, text, this.#options.clusterId);
    if (reading.kind === 'rejected') return this.#recvProblems(reading.problems);
    this.#isRead = true;
    this.#take(reading.objects);
    this.#deps.onReading?.(false);
    const { workloads, services, policies } = reading.objects;
    const counts = { workloads: workloads.length, services: services.length, policies: policies.length };
    this.#deps.logger.info('local configuration read', { file: this.#name, ...counts });
  }

  /** L2. */
  #take({ workloads, services, policies }: MeshObjects): void {
    const nextPolicies = new Map(policies.map((policy) => [policy.key, encodeAuthorization(policy)]));
    const nextAddresses = new Map<string, Uint8Array>([
      ...services.map((service) => [service.key, encodeService(service)] as const),
      ...workloads.map((workload) => [workload.uid, encodeWorkload(workload)] as const),
    ]);
    this.#push(AUTHORIZATION_TYPE_URL, changed(this.#policies, nextPolicies), []);
    this.#push(ADDRESS_TYPE_URL, changed(this.#addresses, nextAddresses), gone(this.#addresses, nextAddresses));
    this.#push(AUTHORIZATION_TYPE_URL, [], gone(this.#policies, nextPolicies));
    this.#policies = nextPolicies;
    this.#addresses = nextAddresses;
  }

  #push(typeUrl: string, upserts: readonly DeltaUpsert[], removed: readonly string[]): void {
    if (upserts.length === 0 && removed.length === 0) return;
    for (const { name, reason } of this.#deps.apply({ typeUrl, upserts, removed }))
      this.#deps.logger.error('an object of the local configuration was rejected [MESH-XDS-002]', { name, reason });
  }

  /** L1. */
  #recvProblems(problems: readonly Problem[]): void {
    const { logger } = this.#deps;
    if (!this.#isRead) {
      this.#failure = problemsError('MESH-CONFIG-001', `the local configuration ${this.#name}`, problems);
      return;
    }
    this.#deps.onReading?.(true);
    logger.error('the local configuration cannot be used; the last good one keeps serving [MESH-CONFIG-001]', {
      file: this.#name,
      problems: problems.length,
    });
    for (const problem of problems.slice(0, maxTold)) logger.error(problemError(problem).message, problemFields(problem));
  }

  #recvUnreadable(why: string): void {
    const message = `the local configuration ${this.#name}: ${why}`;
    const hint = this.#isRead ? 'The last good one keeps serving.' : 'Set LOCAL_XDS_PATH to a file that can be read.';
    const error = new MeshError('MESH-CONFIG-001', { message, hint });
    if (!this.#isRead) {
      this.#failure = error;
      return;
    }
    this.#deps.onReading?.(true);
    this.#deps.logger.error(error.message, { hint });
  }
}

function changed(before: Resources, after: Resources): readonly DeltaUpsert[] {
  return [...after].flatMap(([name, value]) => {
    const known = before.get(name);
    return known !== undefined && Buffer.compare(known, value) === 0 ? [] : [{ name, version: '', value }];
  });
}

function gone(before: Resources, after: Resources): readonly string[] {
  return [...before.keys()].filter((name) => !after.has(name));
}
