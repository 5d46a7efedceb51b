/** The smallest input that still fails: parts are left out, then bytes made zero, as long as it fails in the same way. */

export type ShrinkOptions = {
  /** @default 5000 */
  readonly maxTries?: number;
};

export function shrink(input: Uint8Array, fails: (input: Uint8Array) => boolean, options: ShrinkOptions = {}): Uint8Array {
  let smallest = input;
  let left = options.maxTries ?? 5000;
  const attempt = (candidate: Uint8Array): boolean => {
    if (left <= 0) return false;
    left -= 1;
    if (!fails(candidate)) return false;
    smallest = candidate;
    return true;
  };
  for (let part = Math.ceil(smallest.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let at = 0; at < smallest.length;) {
      if (!attempt(Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + part)]))) at += part;
    }
  }
  for (let at = 0; at < smallest.length; at += 1) {
    if (smallest[at] === 0) continue;
    const candidate = Buffer.from(smallest);
    candidate[at] = 0;
    attempt(candidate);
  }
  return smallest;
}
