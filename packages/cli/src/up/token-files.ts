/**
 * Token files of those who prove themselves to the control plane: one a node proxy, one a waypoint pod. The programs read
 * their file anew for each request.
 *
 *   add ── written (0600) ──▶ kept ── half of its life ──▶ written again ──▶ kept      kept ── remove ──▶ deleted
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { TokenAccount, TokenKey } from './tokens.ts';
import { tokenClaims, tokenLifetimeSeconds } from './tokens.ts';

export type TokenFilesDeps = { readonly key: Pick<TokenKey, 'sign'>; readonly clock: Clock; readonly logger: Logger };

const renewAfterMs = (tokenLifetimeSeconds * 1000) / 2;

export class TokenFiles implements Disposable {
  readonly #deps: TokenFilesDeps;
  /** By path: what stops the renewal. */
  readonly #kept = new Map<string, Cancel>();

  constructor(deps: TokenFilesDeps) {
    this.#deps = deps;
  }

  /** Files kept now. */
  get size(): number {
    return this.#kept.size;
  }

  /** Resolves when the file holds a token of this account; replaces what another account had there. */
  async add(path: string, account: TokenAccount): Promise<void> {
    const { key, clock, logger } = this.#deps;
    this.#kept.get(path)?.();
    const renew = (): void => {
      this.add(path, account).catch((error: unknown) => {
        const { namespace, pod } = account;
        logger.error('a token could not be renewed', { pod: `${namespace}/${pod.name}`, error: String(error) });
      });
    };
    this.#kept.set(path, clock.after(renewAfterMs, renew));
    const temporary = `${path}.next`;
    await writeFile(temporary, await key.sign(tokenClaims(account, clock.now())), { mode: 0o600 });
    // Removed meanwhile: nobody may find a token of a pod that is gone.
    await (this.#kept.has(path) ? rename(temporary, path) : rm(temporary, { force: true }));
  }

  /** Deletes the file; one that is not kept is no error. */
  async remove(path: string): Promise<void> {
    this.#kept.get(path)?.();
    this.#kept.delete(path);
    await rm(path, { force: true });
  }

  /** Renews no more; the files stay. */
  [Symbol.dispose](): void {
    for (const cancel of this.#kept.values()) cancel();
    this.#kept.clear();
  }
}
