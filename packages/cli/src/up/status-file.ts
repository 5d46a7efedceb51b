/**
 * What kubelet and CNI agent would write into the API: the addresses, readiness and redirection of pods, as one YAML
 * file for the control plane. Replaced by rename, so that a reader sees the old file or the new one, never half of one.
 */
import { rename, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';

export type PodStatus = {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly podIPs: readonly string[];
  readonly nodeName: string;
  readonly ready: boolean;
  /** `enabled`: captured, and the proxy has acknowledged; `pending`: captured only, so traffic fails closed. */
  readonly redirection: 'none' | 'pending' | 'enabled';
};

/** The file's text; pods in the order of their keys, so that equal states are equal files. */
export function formatStatus(pods: readonly PodStatus[]): string {
  const sorted = [...pods].sort((a, b) => (a.key < b.key ? -1 : 1));
  // Said even when there is none: a manifest copied from a cluster may carry the annotation of its life there.
  const entries = sorted.map(({ key, redirection, ...rest }) => [
    key,
    { ...rest, redirection: redirection === 'none' ? 'disabled' : redirection },
  ]);
  return stringify({ pods: Object.fromEntries(entries) }, { collectionStyle: 'any' });
}

export class StatusFile {
  readonly #path: string;
  #written: string | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: { readonly path: string }) {
    this.#path = options.path;
  }

  get path(): string {
    return this.#path;
  }

  /** Resolves when the file shows these pods; writes are made in the order of the calls. */
  write(pods: readonly PodStatus[]): Promise<void> {
    const text = formatStatus(pods);
    const write = this.#last.then(() => this.#replace(text));
    // A failed write must not stop later ones; its own caller gets the error.
    this.#last = write.catch(() => {});
    return write;
  }

  async #replace(text: string): Promise<void> {
    if (text === this.#written) return;
    const temporary = `${this.#path}.next`;
    await writeFile(temporary, text, { mode: 0o644 });
    await rename(temporary, this.#path);
    this.#written = text;
  }
}
