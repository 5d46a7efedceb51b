/**
 * What a program shows of rules that it has made itself, in an empty network namespace. No two versions of nft or iptables show a
 * rule in the same words, so what a pod shows is compared with this, and not with what was said.
 */
import { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Command, Execute } from './execute.ts';

/** How rules are made, and how they are shown. */
export type RuleText = { readonly make: Command; readonly input: string; readonly show: Command };

/** Annotations may ask for many kinds of redirection; a node's pods have one or two. */
const maxKinds = 32;
/** Time for making one, milliseconds: whoever asks first may be gone before others are. */
const makeMs = 10_000;

export class Reference {
  readonly #execute: Execute;
  readonly #shown = new Map<string, Promise<string>>();

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  /** What `show` writes where nothing but these rules stands; each kind is made once. */
  async shown(text: RuleText, signal: AbortSignal): Promise<string> {
    const key = [...text.make, text.input].join('\n');
    const known = this.#shown.get(key) ?? this.#remember(key, this.#make(text));
    const shown = await known;
    signal.throwIfAborted();
    return shown;
  }

  #remember(key: string, made: Promise<string>): Promise<string> {
    for (const oldest of this.#shown.keys()) {
      if (this.#shown.size < maxKinds) break;
      this.#shown.delete(oldest);
    }
    this.#shown.set(key, made);
    made.catch(() => this.#shown.delete(key));
    return made;
  }

  async #make({ make, input, show }: RuleText): Promise<string> {
    using empty = NetworkNamespace.create();
    const signal = AbortSignal.timeout(makeMs);
    await this.#execute(empty, make, input, signal);
    return await this.#execute(empty, show, '', signal);
  }
}
