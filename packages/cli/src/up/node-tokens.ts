/** One token file a node, renewed at half its life; the proxies read the file anew for each request. */
import { rename, writeFile } from 'node:fs/promises';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { NodeAccount, TokenKey } from './tokens.ts';
import { tokenClaims, tokenLifetimeSeconds } from './tokens.ts';

export type NodeTokensDeps = { readonly key: TokenKey; readonly clock: Clock; readonly logger: Logger };

export class NodeTokens implements Disposable {
  readonly #files: ReadonlyMap<string, NodeAccount>;
  readonly #deps: NodeTokensDeps;
  #cancel: Cancel = () => {};

  /** `files`: path → whom its token speaks for. */
  constructor(options: { readonly files: ReadonlyMap<string, NodeAccount> }, deps: NodeTokensDeps) {
    this.#files = options.files;
    this.#deps = deps;
  }

  /** Writes every file (mode 0600), and again at half of the tokens' life. */
  async write(): Promise<void> {
    const { key, clock, logger } = this.#deps;
    for (const [path, account] of this.#files) {
      const temporary = `${path}.next`;
      await writeFile(temporary, await key.sign(tokenClaims(account, clock.now())), { mode: 0o600 });
      await rename(temporary, path);
    }
    this.#cancel = clock.after((tokenLifetimeSeconds * 1000) / 2, () => {
      this.write().catch((error: unknown) => logger.error('a node token could not be renewed', { error: String(error) }));
    });
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
