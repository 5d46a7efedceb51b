/** Which requests get a line, and where it goes. Refusals and errors always do. */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { accessLine } from './access-line.ts';
import type { AccessEntry } from './access-line.ts';

export type AccessLogOptions = {
  /** Share of the requests answered below 400 that get a line, 0 to 1. @default 1 */
  readonly successShare?: number;
};

export type AccessLogDeps = {
  readonly random: Random;
  /** Takes whole lines; false when the line was lost. */
  readonly write: (line: string) => boolean;
};

export type AccessCounts = { readonly written: number; readonly sampledOut: number; readonly lost: number };

export class AccessLog {
  readonly #successShare: number;
  readonly #deps: AccessLogDeps;
  #written = 0;
  #sampledOut = 0;
  #lost = 0;

  constructor(options: AccessLogOptions, deps: AccessLogDeps) {
    this.#successShare = options.successShare ?? 1;
    this.#deps = deps;
  }

  get counts(): AccessCounts {
    return { written: this.#written, sampledOut: this.#sampledOut, lost: this.#lost };
  }

  recvEnded(entry: AccessEntry): void {
    if (!this.#isWanted(entry)) this.#sampledOut++;
    else if (this.#deps.write(accessLine(entry))) this.#written++;
    else this.#lost++;
  }

  #isWanted({ status, flag, grpcStatus = 0, attempts }: AccessEntry): boolean {
    if (this.#successShare >= 1) return true;
    const ordinary = status > 0 && status < 400 && grpcStatus === 0 && flag === '-' && attempts <= 1;
    return !ordinary || this.#deps.random.unit() < this.#successShare;
  }
}
