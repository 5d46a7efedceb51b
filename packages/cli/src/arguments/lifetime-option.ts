import { InvalidArgumentError } from 'commander';

/** `90s`, `30m` or `24h`, from 10 seconds on: a proxy renews at half of it. */
export function lifetimeOption(text: string): string {
  const [, amount = '0', unit = 's'] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const seconds = Number(amount) * ({ s: 1, m: 60, h: 3600 }[unit] ?? 0);
  if (seconds >= 10 && seconds <= 90 * 86_400) return text;
  throw new InvalidArgumentError('Write a time with its unit, such as 90s, 30m or 24h; 10s at least.');
}
