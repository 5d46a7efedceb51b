import type { Random } from '../lifecycle/random.ts';

/** Plays back the given numbers in a circle; bytes count up from 01, so that two ids differ. */
export class FakeRandom implements Random {
  readonly #units: readonly number[];
  #drawn = 0;
  #byte = 0;

  /** @param units what `unit` returns in turn, each in [0, 1); 0.5 by default */
  constructor(units: readonly number[] = [0.5]) {
    this.#units = units;
  }

  unit(): number {
    const unit = this.#units[this.#drawn % this.#units.length] ?? 0.5;
    this.#drawn += 1;
    return unit;
  }

  hex(count: number): string {
    return Array.from({ length: count }, () => this.#nextByte().toString(16).padStart(2, '0')).join('');
  }

  #nextByte(): number {
    this.#byte = (this.#byte % 255) + 1;
    return this.#byte;
  }
}
