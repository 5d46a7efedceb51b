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
import { jsonAnswer } from '@clearmesh/shared/admin/json-answer';
import type { Json } from '@clearmesh/shared/admin/json-answer';
import { operatorRoutes } from '@clearmesh/shared/admin/operator-routes';
import type { OperatorDeps } from '@clearmesh/shared/admin/operator-routes';
import type { ServerAddressOptions } from '@clearmesh/shared/admin/stats-server';
import { dumpConfiguration } from './configuration-dump.ts';
import type { ConfigurationInForce, RejectedConfiguration } from './configuration-dump.ts';

/** What stands between callers and endpoints now; each is asked when somebody looks. */
export type StatusSources = {
  /** Circuit breakers: of a route and backend, opened by its failures. */
  readonly breakers: () => Json;
  /** Outlier detection: single endpoints, taken out of rotation. */
  readonly outliers: () => Json;
  /** Limits of connections, requests and retries, and how full they are. */
  readonly limits: () => Json;
};

export type AdminDeps = OperatorDeps & {
  readonly configuration: () => ConfigurationInForce | undefined;
  readonly rejected: () => RejectedConfiguration | undefined;
  readonly status: StatusSources;
  /** The options in force, without secrets. */
  readonly options: () => Json;
  readonly version: string;
};

const index = 'Clearmesh waypoint\n\nGET  /config_dump\nGET  /status\nGET  /healthz\nPOST /logging\nPOST /quitquitquit\n';

export function startAdminServer(options: ServerAddressOptions, deps: AdminDeps): Promise<HttpEndpoint> {
  return HttpEndpoint.listen(
    { name: 'admin', ...options },
    {
      '/': () => ({ status: 200, body: index }),
      '/config_dump': () => jsonAnswer(dump(deps)),
      '/status': () => jsonAnswer(status(deps.status)),
      '/healthz': () => ({ status: 200, body: 'ok\n' }),
      ...operatorRoutes(deps),
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
