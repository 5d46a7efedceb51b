import { StringDecoder } from 'node:string_decoder';

/** Longest line kept together, in UTF-16 units. */
const maxLineLength = 64 * 1024;

/** Chunks of UTF-8 output to lines; the line in progress is bounded. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** The lines that the chunk completed, without their ends. */
  push(chunk: Uint8Array): readonly string[] {
    return this.#take(this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  /** The last line, if it had no end. */
  end(): readonly string[] {
    const lines = this.#take(this.#decoder.end());
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? lines : [...lines, rest];
  }

  #take(text: string): readonly string[] {
    const lines = (this.#rest + text).split(/\r?\n/);
    let rest = lines.pop() ?? '';
    while (rest.length > maxLineLength) {
      lines.push(rest.slice(0, maxLineLength));
      rest = rest.slice(maxLineLength);
    }
    this.#rest = rest;
    return lines;
  }
}
