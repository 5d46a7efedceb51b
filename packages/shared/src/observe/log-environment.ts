/** What is logged and how, by environment (l4-contract section 12). */
import type { EnvironmentReader } from '../lifecycle/environment.ts';
import { parseLogFilter } from './log-filter.ts';
import type { LogFilter } from './log-filter.ts';

export type LogConfig = {
  /** @default info */
  readonly filter: LogFilter;
  /** @default plain */
  readonly format: 'plain' | 'json';
};

/** `RUST_LOG` and `LOG_FORMAT`. */
export function readLogConfig(reader: EnvironmentReader): LogConfig {
  const filter = parseLogFilter(reader.text('RUST_LOG', 'info'));
  if (filter === undefined) {
    reader.reject('RUST_LOG', 'set it to a level (error, warn, info, debug), or to a filter such as info,access=debug');
  }
  return {
    filter: filter ?? { level: 'info', scopes: new Map() },
    format: reader.oneOf('LOG_FORMAT', ['plain', 'json'], 'plain'),
  };
}
