import { randomBytes } from 'node:crypto';

/** Randomness as a dependency. */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** `count` bytes as lower-case hexadecimal. */
  hex(count: number): string;
}

export const systemRandom: Random = {
  unit: () => Math.random(),
  hex: (count) => randomBytes(count).toString('hex'),
};
