/**
 * Reads typed values from environment variables and keeps every complaint, so that a start with three wrong
 * variables names all three at once (house rule: configuration is rejected whole).
 */
import { MeshError } from '../observe/mesh-error.ts';
import { parseIp } from '../model/ip-address.ts';
import type { IpAddress } from '../model/ip-address.ts';

/** Environment variables as a process receives them. */
export type Environment = Readonly<Record<string, string | undefined>>;

type Range = { readonly min: number; readonly max: number };

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Collects problems while it reads; {@link EnvironmentReader.finish} throws them together. */
export class EnvironmentReader {
  readonly #env: Environment;
  readonly #problems: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  /** The raw value; `undefined` when unset. An empty value counts as set. */
  raw(name: string): string | undefined {
    return this.#env[name];
  }

  /** Notes that a variable is unusable: its name, its value and what to set instead. */
  reject(name: string, remedy: string): void {
    this.#problems.push(`${name}=${JSON.stringify(this.#env[name] ?? '')}: ${remedy}`);
  }

  /** Text, or the default when unset or empty. */
  text(name: string, fallback: string): string {
    const value = this.#env[name];
    return value === undefined || value === '' ? fallback : value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.text(name, String(fallback)).toLowerCase();
    if (value !== 'true' && value !== 'false') this.reject(name, 'set it to true or false');
    return value === 'true';
  }

  /** A whole number, decimal or `0x` hexadecimal, within `range`. */
  integer(name: string, fallback: number, range: Range): number {
    const value = this.text(name, String(fallback));
    const number = /^(?:\d+|0x[\da-f]+)$/i.test(value) ? Number(value) : Number.NaN;
    if (number >= range.min && number <= range.max) return number;
    this.reject(name, `set it to a whole number from ${range.min} to ${range.max}`);
    return fallback;
  }

  /** Milliseconds from texts such as `5s`, `250ms` or `1h30m`; a bare number is refused, since its unit is unclear. */
  durationMs(name: string, fallbackMs: number): number {
    const value = this.text(name, `${fallbackMs}ms`);
    if (!/^(?:\d+(?:ms|s|min|m|h|d))+$/.test(value)) {
      this.reject(name, 'set it to a duration with a unit, such as 5s, 250ms or 1h30m');
      return fallbackMs;
    }
    let total = 0;
    for (const [, amount = '0', unit = 'ms'] of value.matchAll(/(\d+)(ms|s|min|m|h|d)/g))
      total += Number(amount) * (unitsMs[unit] ?? 0);
    // Node's timers hold 31 bits of milliseconds; a longer one would fire at once.
    if (total <= 0x7fff_ffff) return total;
    this.reject(name, 'set it to less than 24 days');
    return fallbackMs;
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
    const value = this.text(name, fallback);
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    this.reject(name, `set it to one of ${choices.map((candidate) => candidate || '""').join(', ')}`);
    return fallback;
  }

  ip(name: string, fallback: IpAddress): IpAddress {
    const value = this.#env[name];
    if (value === undefined || value === '') return fallback;
    const ip = parseIp(value);
    if (ip === undefined) this.reject(name, 'set it to one IPv4 or IPv6 address without a port');
    return ip ?? fallback;
  }

  /** An `https://host:port` address; unset gives the default, set but empty gives `undefined` (off). */
  httpsAddress(name: string, fallback: string): string | undefined {
    const value = this.#env[name] ?? fallback;
    if (value === '') return undefined;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url?.protocol === 'https:' && url.hostname !== '' && (url.pathname === '/' || url.pathname === '')) return url.origin;
    this.reject(name, 'set it to https://host:port, or to nothing to switch it off');
    return undefined;
  }

  /** Throws MESH-CONFIG-003 with every problem met so far. */
  finish(): void {
    if (this.#problems.length === 0) return;
    throw new MeshError('MESH-CONFIG-003', {
      message: `${this.#problems.length} unusable environment variable(s): ${this.#problems.join('; ')}`,
    });
  }
}
