/** Inputs from inputs: the changes that break decoders. */
import type { Draw } from '@clearmesh/shared/testing/draw';

/** Longer ones are cut: what is found in them is found in shorter ones, and sooner; and their hex is an argument still. */
export const maxInput = 32_768;

/** Ends of ranges, as they stand in lengths and indices. */
const edges = [0, 1, 2, 9, 0x0a, 0x0d, 0x20, 0x25, 0x2c, 0x3b, 0x3d, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xfe, 0xff] as const;

type Change = (input: Buffer, draw: Draw, other: Uint8Array) => Uint8Array;

const changes: readonly [Change, ...Change[]] = [
  function flipBit(input, draw) {
    const at = draw.int(0, input.length - 1);
    input[at] = (input[at] ?? 0) ^ (1 << draw.int(0, 7));
    return input;
  },
  function setByte(input, draw) {
    input[draw.int(0, input.length - 1)] = draw.chance(0.5) ? draw.pick(edges) : draw.int(0, 255);
    return input;
  },
  function setNumber(input, draw) {
    const width = draw.pick([2, 3, 4]);
    if (input.length < width) return input;
    const value = draw.chance(0.5) ? draw.int(0, 300) : 256 ** width - draw.int(1, 300);
    input.writeUIntBE(value, draw.int(0, input.length - width), width);
    return input;
  },
  function insert(input, draw) {
    const at = draw.int(0, input.length);
    return Buffer.concat([input.subarray(0, at), randomBytes(draw, draw.int(1, 16)), input.subarray(at)]);
  },
  function remove(input, draw) {
    const from = draw.int(0, input.length - 1);
    return Buffer.concat([input.subarray(0, from), input.subarray(from + draw.int(1, 16))]);
  },
  function cut(input, draw) {
    return input.subarray(0, draw.int(0, input.length - 1));
  },
  function repeat(input, draw) {
    const from = draw.int(0, input.length - 1);
    const part = input.subarray(from, from + draw.int(1, 64));
    return Buffer.concat([input.subarray(0, from), ...Array.from({ length: draw.int(2, 20) }, () => part), input.subarray(from)]);
  },
  function splice(input, draw, other) {
    const tail = other.subarray(draw.int(0, other.length));
    return Buffer.concat([input.subarray(0, draw.int(0, input.length)), tail]);
  },
];

/** One to six changes; `other` is a second input to take parts of. */
export function mutate(input: Uint8Array, other: Uint8Array, draw: Draw): Uint8Array {
  let changed: Uint8Array = Buffer.from(input);
  for (let left = draw.int(1, 6); left > 0; left -= 1) {
    if (changed.length === 0) changed = randomBytes(draw, 1);
    changed = draw.pick(changes)(Buffer.from(changed), draw, other);
  }
  return changed.subarray(0, maxInput);
}

export function randomBytes(draw: Draw, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => draw.int(0, 255)));
}
