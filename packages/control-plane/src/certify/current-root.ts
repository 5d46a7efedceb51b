/** The authority in force: who needs it asks each time, and who keeps something that it signed listens. */
import type { Cancel } from '@clearmesh/shared/lifecycle/clock';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

export class CurrentRoot {
  #authority: RootAuthority;
  readonly #listeners = new Set<() => void>();

  constructor(authority: RootAuthority) {
    this.#authority = authority;
  }

  get authority(): RootAuthority {
    return this.#authority;
  }

  /** PEM of all that the mesh is to trust. */
  get rootPem(): string {
    return this.#authority.rootPem;
  }

  replace(authority: RootAuthority): void {
    this.#authority = authority;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after each replacement, until cancelled. */
  onReplaced(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** For who only hands it on. */
export type GivenOut = Pick<CurrentRoot, 'rootPem' | 'onReplaced'>;
