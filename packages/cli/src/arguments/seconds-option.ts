import { InvalidArgumentError } from 'commander';

/** `90` or `90s`. */
export function secondsOption(text: string): number {
  const [, digits] = /^(\d{1,5})s?$/.exec(text) ?? [];
  if (digits !== undefined) return Number(digits);
  throw new InvalidArgumentError('Write seconds, such as 90 or 90s.');
}
