/**
 * Structured logging. Scopes follow the contract (`access`, `xds`, `ca`, `zds`, …); fields keep their order.
 * Two formats (l4-contract section 11.2): tab-separated text, or one JSON object a line {level, time, scope, message, …fields}.
 */
import pino from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same sink under another scope name. */
  scope(name: string): Logger;
}

export type LogOptions = {
  /** @default 'info' */
  readonly level?: LogLevel;
  /** @default 'plain' */
  readonly format?: 'plain' | 'json';
  /** Where lines go. @default standard output, written by pino without blocking the data path */
  readonly write?: (line: string) => void;
};

const labels: Readonly<Record<number, LogLevel>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

/** A logger of the given scope. */
export function createLogger(scope: string, options: LogOptions = {}): Logger {
  const destination = options.write === undefined ? pino.destination({ fd: 1, sync: false }) : { write: options.write };
  const sink = options.format === 'json' ? destination : { write: (line: string) => void destination.write(plainLine(line)) };
  const root = pino(
    {
      level: options.level ?? 'info',
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (_label, value) => ({ level: labels[value] ?? 'info' }) },
    },
    sink,
  );
  return wrap(root, scope);
}

/** Swallows everything. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  scope: () => silentLogger,
};

function wrap(root: pino.Logger, scope: string): Logger {
  const child = root.child({ scope });
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      child[level](fields, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), scope: (name) => wrap(root, name) };
}

function plainLine(json: string): string {
  const { level, time, scope, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' && !isBare(key, value) ? JSON.stringify(value) : value}`,
  );
  return `${[time, level, scope, message, pairs.join(' ')].join('\t')}\n`;
}

/** Addresses and directions stand bare, as in the contract's text lines; other strings are quoted. */
function isBare(key: string, value: string): boolean {
  return /addr$|^direction$/.test(key) && !/\s/.test(value);
}
