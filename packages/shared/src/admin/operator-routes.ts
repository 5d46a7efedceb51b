/** What every proxy lets its operator do (l4-contract section 11.3): set the log level, begin the drain. */
import type { Logger } from '../observe/log.ts';
import type { HttpAnswer, HttpRequest } from './http-endpoint.ts';

/** The level of the log while the process runs; `FilteredLog` is one. */
export interface LogControl {
  /** The filter in force, such as `info,access=debug`. */
  readonly level: string;
  /** Sets the filter; false when it is not understood, and nothing changed. */
  set(level: string): boolean;
  /** Back to what the process started with. */
  reset(): void;
}

export type OperatorDeps = {
  readonly log: LogControl;
  /** Begins the drain. */
  readonly quit: () => void;
  readonly logger: Logger;
};

const usage =
  'usage: POST /logging\t\t\t\t(shows the current level)\nusage: POST /logging?level=<level>\t\t(error, warn, info, debug, or a filter such as info,access=debug)\nusage: POST /logging?reset\t\t\t(back to the level at start)\n';

export function operatorRoutes(deps: OperatorDeps): Readonly<Record<string, (request: HttpRequest) => HttpAnswer>> {
  return {
    '/logging': (request) => logging(request, deps.log),
    '/quitquitquit': ({ method }) => quit(method, deps),
  };
}

function logging({ method, url }: HttpRequest, log: LogControl): HttpAnswer {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' }, body: `Invalid HTTP method\n\n${usage}` };
  const level = url.searchParams.get('level');
  if (url.searchParams.has('reset')) log.reset();
  else if (level !== null && !log.set(level)) return { status: 400, body: `Invalid level provided: ${level}\n\n${usage}` };
  return { status: 200, body: `current log level is ${log.level}\n` };
}

function quit(method: string, deps: OperatorDeps): HttpAnswer {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' }, body: '' };
  deps.logger.info('shutdown requested by the admin interface');
  // After the answer is on its way: the drain closes this server too.
  setImmediate(deps.quit);
  return { status: 200, body: 'shutdown now\n' };
}
