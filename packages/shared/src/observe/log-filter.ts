/**
 * Which log lines are written, by scope, and changed while the process runs (`RUST_LOG`, POST /logging).
 * A filter reads `info`, or `info,access=debug`: a level for everything, then exceptions by scope.
 */
import type { LogFields, LogLevel, Logger } from './log.ts';

export type LogFilter = {
  readonly level: LogLevel;
  /** Levels of single scopes, such as access → debug. */
  readonly scopes: ReadonlyMap<string, LogLevel>;
};

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** `trace` is the finest we have; `off` keeps errors, since an error nobody sees helps nobody. */
const levels: ReadonlyMap<string, LogLevel> = new Map([
  ['trace', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['off', 'error'],
]);

/** The filter, or `undefined` when the text is none. */
export function parseLogFilter(text: string): LogFilter | undefined {
  const scopes = new Map<string, LogLevel>();
  let level: LogLevel = 'info';
  for (const directive of text.split(',')) {
    const [left = '', right, ...rest] = directive.trim().split('=');
    const parsed = levels.get((right ?? left).toLowerCase());
    if (parsed === undefined || rest.length > 0 || left === '') return undefined;
    if (right === undefined) level = parsed;
    else scopes.set(left, parsed);
  }
  return { level, scopes };
}

/** The text {@link parseLogFilter} reads. */
export function formatLogFilter({ level, scopes }: LogFilter): string {
  return [level, ...[...scopes].map(([scope, own]) => `${scope}=${own}`)].join(',');
}

/** Makes loggers that obey one filter, which may change at any time. */
export class FilteredLog {
  readonly #initial: LogFilter;
  readonly #sink: Logger;
  #filter: LogFilter;

  /** @param sink writes whatever it gets, debug included */
  constructor(filter: LogFilter, deps: { readonly sink: Logger }) {
    this.#initial = filter;
    this.#filter = filter;
    this.#sink = deps.sink;
  }

  /** The filter in force, as text. */
  get level(): string {
    return formatLogFilter(this.#filter);
  }

  /** Changes the filter; false, and nothing changed, when the text is none. */
  set(text: string): boolean {
    const filter = parseLogFilter(text);
    if (filter !== undefined) this.#filter = filter;
    return filter !== undefined;
  }

  /** Back to the filter of the start. */
  reset(): void {
    this.#filter = this.#initial;
  }

  /** A logger of one scope. */
  scope(name: string): Logger {
    const sink = this.#sink.scope(name);
    const isWritten = (level: LogLevel): boolean => ranks[level] >= ranks[this.#filter.scopes.get(name) ?? this.#filter.level];
    const at =
      (level: LogLevel) =>
      (message: string, fields?: LogFields): void => {
        if (isWritten(level)) sink[level](message, fields);
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      get debugs() {
        return isWritten('debug');
      },
      scope: (other) => this.scope(other),
    };
  }
}
