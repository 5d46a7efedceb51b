/**
 * The Huffman code of HPACK, decoding only (RFC 7541 section 5.2 and appendix B): our encoder sends literals as they are,
 * which costs bytes of a CONNECT and spares time.
 *
 * The code is canonical, so the lengths say it all: codes of one length count up with the symbol, shorter ones come first. It
 * is walked four bits at a time; the shortest code has five, so a step gives one symbol at most.
 *
 * H1  Padding is at most seven bits, all of them ones: the beginning of EOS. EOS itself is an error.
 */

const eos = 256;

/** Bits of each symbol's code, from 0 to EOS. */
const lengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22,
  23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22,
  21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
  27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26,
  26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/** A step: the next node in the low bits, then the symbol it gave, plus one, or zero. */
const nodeBits = 9;
const nodeMask = (1 << nodeBits) - 1;
const failed = -1;

/** The tree as children of each node: a node, or a symbol as `-1 - symbol`. */
function tree(): readonly (readonly [number, number])[] {
  const nodes: [number, number][] = [[0, 0]];
  let code = 0;
  let length = 0;
  for (const symbol of lengths
    .keys()
    .toArray()
    .sort((a, b) => lengthOf(a) - lengthOf(b) || a - b)) {
    code *= 2 ** (lengthOf(symbol) - length);
    length = lengthOf(symbol);
    let at = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const node = nodes[at] as [number, number];
      const side = Math.floor(code / 2 ** bit) % 2 === 1 ? 1 : 0;
      if (bit === 0) node[side] = -1 - symbol;
      else if (node[side] === 0) node[side] = nodes.push([0, 0]) - 1;
      at = node[side];
    }
    code += 1;
  }
  return nodes;
}

function lengthOf(symbol: number): number {
  return lengths[symbol] ?? 0;
}

/** Sixteen steps for each node. */
function steps(nodes: readonly (readonly [number, number])[]): Int32Array {
  const table = new Int32Array(nodes.length * 16);
  for (let node = 0; node < nodes.length; node++) {
    for (let nibble = 0; nibble < 16; nibble++) table[node * 16 + nibble] = step(nodes, node, nibble);
  }
  return table;
}

function step(nodes: readonly (readonly [number, number])[], from: number, nibble: number): number {
  let at = from;
  let given = 0;
  for (let bit = 3; bit >= 0; bit--) {
    at = nodes[at]?.[(nibble >> bit) & 1 ? 1 : 0] ?? 0;
    if (at >= 0) continue;
    const symbol = -1 - at;
    if (symbol === eos) return failed;
    given = symbol + 1;
    at = 0;
  }
  return (given << nodeBits) | at;
}

/** H1. The nodes that up to seven ones lead to, the root included. */
function ends(nodes: readonly (readonly [number, number])[]): ReadonlySet<number> {
  const found = new Set([0]);
  for (let ones = 1, at = 0; ones <= 7; ones++) {
    at = nodes[at]?.[1] ?? 0;
    found.add(at);
  }
  return found;
}

const nodes = tree();
const table = steps(nodes);
const accepting = ends(nodes);

/** The shortest code is five bits long. */
export function longestDecoded(encodedBytes: number): number {
  return Math.floor((encodedBytes * 8) / 5);
}

/** Decodes into `into`, which has room for `longestDecoded`; gives the count of bytes, or -1 for what is no such code. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number, into: Uint8Array): number {
  let node = 0;
  let count = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const found = table[node * 16 + ((byte >> shift) & 15)] ?? failed;
      if (found === failed) return failed;
      node = found & nodeMask;
      if (found >> nodeBits !== 0) into[count++] = (found >> nodeBits) - 1;
    }
  }
  return accepting.has(node) ? count : failed;
}
