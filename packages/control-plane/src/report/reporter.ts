/** Keeps the facts of the report, and has it written when one of them changes. */
import { objectName } from '../manifest/collections.ts';
import { reportStatus } from './report.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { WaypointListener, WaypointSession } from '../publish/discovery-service.ts';
import type { Configured } from './report.ts';
import type { StatusReport } from './status-report.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

type Session = { readonly gateway: string; readonly pod: string; error: string | undefined };

export class Reporter implements WaypointListener {
  readonly #options: DeriveOptions;
  readonly #write: (report: StatusReport) => void;
  readonly #sessions = new Set<Session>();
  #configured: Configured | undefined;
  #problems: readonly Problem[] = [];
  #invalidParameters: ReadonlyMap<string, string> = new Map();
  #due = false;

  constructor(options: DeriveOptions, deps: { readonly write: (report: StatusReport) => void }) {
    this.#options = options;
    this.#write = deps.write;
  }

  /** A configuration is in force. */
  recvConfigured(configured: Configured): void {
    this.#configured = configured;
    this.#schedule();
  }

  /** Of the last reading; none when it was taken. */
  recvProblems(problems: readonly Problem[]): void {
    this.#problems = problems;
    this.#schedule();
  }

  /** Why nothing can be made for Gateways, by `namespace/name`; those that are not named are well. */
  recvInvalidParameters(invalid: ReadonlyMap<string, string>): void {
    this.#invalidParameters = invalid;
    this.#schedule();
  }

  connected(gateway: string, pod: string): WaypointSession {
    const session: Session = { gateway, pod, error: undefined };
    this.#sessions.add(session);
    return {
      recvAnswer: (error) => this.#recvAnswer(session, error),
      [Symbol.dispose]: () => {
        this.#sessions.delete(session);
        if (session.error !== undefined) this.#schedule();
      },
    };
  }

  #recvAnswer(session: Session, error: string | undefined): void {
    if (session.error === error) return;
    session.error = error;
    this.#schedule();
  }

  /** Changes of one turn make one report. */
  #schedule(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#write(this.#report());
    });
  }

  #report(): StatusReport {
    const refusals = new Map<string, Map<string, string>>();
    const gateways = new Set(this.#configured?.collections.gateways.map(({ metadata }) => objectName(metadata)));
    for (const { gateway, pod, error } of this.#sessions) {
      if (error === undefined || !gateways.has(gateway)) continue;
      const pods = refusals.get(gateway) ?? new Map<string, string>();
      refusals.set(gateway, pods.set(pod, error));
    }
    const configured = this.#configured === undefined ? {} : { configured: this.#configured };
    return reportStatus(
      { ...configured, refusals, invalidParameters: this.#invalidParameters, problems: this.#problems },
      this.#options,
    );
  }
}
