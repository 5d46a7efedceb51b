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
  /** Whether debug lines are written: for who would have to gather much for one. */
  readonly debugs: boolean;
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

const ranks: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 };
const labels: Readonly<Record<number, LogLevel>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

/** What a reader that has stopped may leave unwritten; lines beyond it are lost, so that logging cannot fill the memory. */
const maxUnwrittenBytes = 16 * 1024 * 1024;

type Emit = (level: LogLevel, message: string, fields: LogFields) => void;

/** A logger of the given scope. */
export function createLogger(scope: string, options: LogOptions = {}): Logger {
  const write = options.write ?? standardOutput();
  const level = options.level ?? 'info';
  const emitterOf = options.format === 'json' ? jsonLines(level, write) : plainLines(level, write);
  return wrap(emitterOf, level === 'debug', scope);
}

/** Swallows everything. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  debugs: false,
  scope: () => silentLogger,
};

function wrap(emitterOf: (scope: string) => Emit, debugs: boolean, scope: string): Logger {
  const emit = emitterOf(scope);
  return {
    debug: (message, fields = {}) => emit('debug', message, fields),
    info: (message, fields = {}) => emit('info', message, fields),
    warn: (message, fields = {}) => emit('warn', message, fields),
    error: (message, fields = {}) => emit('error', message, fields),
    debugs,
    scope: (name) => wrap(emitterOf, debugs, name),
  };
}

function jsonLines(level: LogLevel, write: (line: string) => void): (scope: string) => Emit {
  const root = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (_label, value) => ({ level: labels[value] ?? 'info' }) },
    },
    { write },
  );
  return (scope) => {
    const child = root.child({ scope });
    // As a field, since pino would put its own message behind all others.
    return (at, message, fields) => child[at]({ message, ...fields });
  };
}

function plainLines(level: LogLevel, write: (line: string) => void): (scope: string) => Emit {
  return (scope) => (at, message, fields) => {
    if (ranks[at] >= ranks[level]) write(plainLine(at, scope, message, fields));
  };
}

function plainLine(level: LogLevel, scope: string, message: string, fields: LogFields): string {
  const pairs: string[] = [];
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) pairs.push(`${key}=${plainValue(key, value)}`);
  // One line, five columns, whatever the message holds.
  const text = printable(message.replaceAll(/[\t\r\n]+/g, ' '));
  return `${[new Date().toISOString(), level, scope, text, pairs.join(' ')].join('\t')}\n`;
}

function plainValue(key: string, value: string | number | boolean): string {
  return typeof value === 'string' && !isBare(key, value) ? printable(JSON.stringify(value)) : String(value);
}

/** Peers choose some of the text, and a terminal obeys control characters: C0, DEL and C1 (ECMA-48 section 5). */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (found) => `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Addresses and directions stand bare, as in the contract's text lines; other strings are quoted. */
function isBare(key: string, value: string): boolean {
  return /addr$|^direction$/.test(key) && /^[!-~]*$/.test(value);
}

/** How long lines are gathered, milliseconds: nobody who reads them sees it. */
const gatheredMs = 5;

/**
 * Standard output without waiting for its reader. Lines that come close together leave as one write, since each goes through
 * libuv's thread pool, two wake-ups of threads: at 1,100 connections a second a write a line took 7 % of the proxy's CPU time.
 */
function standardOutput(): (line: string) => void {
  let waiting: string[] = [];
  const flush = (): void => {
    const lines = waiting;
    waiting = [];
    if (lines.length > 0) destination.write(lines.join(''));
  };
  // Before the destination's own listener, which waits for what was written to it.
  process.once('exit', flush);
  const destination = pino.destination({ fd: 1, sync: false, maxLength: maxUnwrittenBytes });
  return (line) => {
    if (waiting.push(line) === 1) setTimeout(flush, gatheredMs);
  };
}
