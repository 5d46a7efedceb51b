/**
 * For the operator of this node: 127.0.0.1 and ::1, port 15000 (l4-contract section 11.3).
 *
 *   GET  /config_dump           everything the proxy knows, JSON
 *   POST /logging[?level=L]     shows or sets the log level; ?reset undoes
 *   POST /quitquitquit          begins the drain
 */
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { dumpCertificate } from './certificate-dump.ts';
import type { CertificateStatus } from './certificate-dump.ts';
import { dumpSnapshot } from './config-dump.ts';
import type { Json } from './config-dump.ts';
import { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import type { HttpAnswer, HttpRequest } from '@clearmesh/shared/admin/http-endpoint';
import type { ServerAddressOptions } from '@clearmesh/shared/admin/stats-server';

/** The level of the proxy's log while it runs. */
export interface LogControl {
  /** The filter in force, such as `info,access=debug`. */
  readonly level: string;
  /** Sets the filter; false when it is not understood, and nothing changed. */
  set(level: string): boolean;
  /** Back to what the process started with. */
  reset(): void;
}

export type AdminDeps = {
  readonly snapshot: () => Snapshot;
  readonly certificates: () => readonly CertificateStatus[];
  /** By pod uid: state, connections and info, as section 11.3 lays it out. */
  readonly workloadState: () => Json;
  /** The options in force, without secrets. */
  readonly config: () => Json;
  readonly version: string;
  readonly log: LogControl;
  /** Begins the drain. */
  readonly quit: () => void;
  readonly logger: Logger;
};

const usage =
  'usage: POST /logging\t\t\t\t(shows the current level)\nusage: POST /logging?level=<level>\t\t(error, warn, info, debug, or a filter such as info,access=debug)\nusage: POST /logging?reset\t\t\t(back to the level at start)\n';

export function startAdminServer(options: ServerAddressOptions, deps: AdminDeps): Promise<HttpEndpoint> {
  return HttpEndpoint.listen(
    { name: 'admin', ...options },
    {
      '/': () => ({ status: 200, body: 'Clearmesh ztunnel\n\nGET  /config_dump\nPOST /logging\nPOST /quitquitquit\n' }),
      '/config_dump': () => dump(deps),
      '/logging': (request) => logging(request, deps.log),
      '/quitquitquit': ({ method }) => quit(method, deps),
    },
    deps,
  );
}

function dump(deps: AdminDeps): HttpAnswer {
  const json: Json = {
    ...dumpSnapshot(deps.snapshot()),
    // Objects from a file instead of a control plane: this proxy has no such source.
    staticConfig: { workloads: [], services: [], policies: [] },
    version: { version: deps.version, buildProfile: 'release' },
    config: deps.config(),
    certificates: deps.certificates().map(dumpCertificate),
    workloadState: deps.workloadState(),
  };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(json, undefined, 2)}\n` };
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
