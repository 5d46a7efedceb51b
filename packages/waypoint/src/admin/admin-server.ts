/**
 * For the operator of a waypoint: 127.0.0.1 and ::1, port 15000, as a ztunnel's (l4-contract section 11.3).
 *
 *   GET  /config_dump           the configuration in force and the last one refused, JSON
 *   GET  /status                breakers, outliers and limits, JSON: three things that are easily confused
 *   GET  /healthz               200 while the process answers
 *   POST /logging[?level=L]     shows or sets the log level; ?reset undoes
 *   POST /quitquitquit          begins the drain
 */
import { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import type { HttpAnswer, HttpRequest } from '@clearmesh/shared/admin/http-endpoint';
import type { ServerAddressOptions } from '@clearmesh/shared/admin/stats-server';
import type { Logger } from '@clearmesh/shared/observe/log';
import { dumpConfiguration } from './configuration-dump.ts';
import type { ConfigurationInForce, RejectedConfiguration } from './configuration-dump.ts';
import type { Json } from './json.ts';

/** The level of the log while the process runs; `FilteredLog` is one. */
export interface LogControl {
  /** The filter in force, such as `info,access=debug`. */
  readonly level: string;
  /** Sets the filter; false when it is not understood, and nothing changed. */
  set(level: string): boolean;
  /** Back to what the process started with. */
  reset(): void;
}

/** What stands between callers and endpoints now; each is asked when somebody looks. */
export type StatusSources = {
  /** Circuit breakers: of a route and backend, opened by its failures. */
  readonly breakers: () => Json;
  /** Outlier detection: single endpoints, taken out of rotation. */
  readonly outliers: () => Json;
  /** Limits of connections, requests and retries, and how full they are. */
  readonly limits: () => Json;
};

export type AdminDeps = {
  readonly configuration: () => ConfigurationInForce | undefined;
  readonly rejected: () => RejectedConfiguration | undefined;
  readonly status: StatusSources;
  /** The options in force, without secrets. */
  readonly options: () => Json;
  readonly version: string;
  readonly log: LogControl;
  /** Begins the drain. */
  readonly quit: () => void;
  readonly logger: Logger;
};

const index = 'Clearmesh waypoint\n\nGET  /config_dump\nGET  /status\nGET  /healthz\nPOST /logging\nPOST /quitquitquit\n';
const usage =
  'usage: POST /logging\t\t\t\t(shows the current level)\nusage: POST /logging?level=<level>\t\t(error, warn, info, debug, or a filter such as info,access=debug)\nusage: POST /logging?reset\t\t\t(back to the level at start)\n';

export function startAdminServer(options: ServerAddressOptions, deps: AdminDeps): Promise<HttpEndpoint> {
  return HttpEndpoint.listen(
    { name: 'admin', ...options },
    {
      '/': () => ({ status: 200, body: index }),
      '/config_dump': () => json(dump(deps)),
      '/status': () => json(status(deps.status)),
      '/healthz': () => ({ status: 200, body: 'ok\n' }),
      '/logging': (request) => logging(request, deps.log),
      '/quitquitquit': ({ method }) => quit(method, deps),
    },
    deps,
  );
}

function dump({ configuration, rejected, options, version }: AdminDeps): Json {
  return { version, options: options(), ...dumpConfiguration(configuration(), rejected()) };
}

function status({ breakers, outliers, limits }: StatusSources): Json {
  return { breakers: breakers(), outliers: outliers(), limits: limits() };
}

function json(value: Json): HttpAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value, undefined, 2)}\n` };
}

function logging({ method, url }: HttpRequest, log: LogControl): HttpAnswer {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' }, body: `Invalid HTTP method\n\n${usage}` };
  const level = url.searchParams.get('level');
  if (url.searchParams.has('reset')) log.reset();
  else if (level !== null && !log.set(level)) return { status: 400, body: `Invalid level provided: ${level}\n\n${usage}` };
  return { status: 200, body: `current log level is ${log.level}\n` };
}

function quit(method: string, deps: AdminDeps): HttpAnswer {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' }, body: '' };
  deps.logger.info('shutdown requested by the admin interface');
  // After the answer is on its way: the drain closes this server too.
  setImmediate(deps.quit);
  return { status: 200, body: 'shutdown now\n' };
}
