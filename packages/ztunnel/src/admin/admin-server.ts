/**
 * For the operator of this node: 127.0.0.1 and ::1, port 15000 (l4-contract section 11.3).
 *
 *   GET  /config_dump           everything the proxy knows, JSON
 *   GET  /pods                  how each pod fares, JSON
 *   GET  /debug/pprof/{profile,heap}  CPU and allocation profiles
 *   POST /logging[?level=L]     shows or sets the log level; ?reset undoes
 *   POST /quitquitquit          begins the drain
 */
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { dumpCertificate } from './certificate-dump.ts';
import type { CertificateStatus } from './certificate-dump.ts';
import { dumpSnapshot } from './config-dump.ts';
import { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { jsonAnswer } from '@clearmesh/shared/admin/json-answer';
import type { Json } from '@clearmesh/shared/admin/json-answer';
import { profileRoutes } from '@clearmesh/shared/admin/profile-routes';
import type { ProfileDeps } from '@clearmesh/shared/admin/profile-routes';
import { operatorRoutes } from '@clearmesh/shared/admin/operator-routes';
import type { OperatorDeps } from '@clearmesh/shared/admin/operator-routes';
import type { ServerAddressOptions } from '@clearmesh/shared/admin/stats-server';

export type AdminDeps = OperatorDeps &
  ProfileDeps & {
    readonly snapshot: () => Snapshot;
    readonly certificates: () => readonly CertificateStatus[];
    /** One entry a pod. */
    readonly pods: () => Json;
    /** By pod uid: state, connections and info, as section 11.3 lays it out. */
    readonly workloadState: () => Json;
    /** The options in force, without secrets. */
    readonly config: () => Json;
    readonly version: string;
  };

export function startAdminServer(options: ServerAddressOptions, deps: AdminDeps): Promise<HttpEndpoint> {
  return HttpEndpoint.listen(
    { name: 'admin', ...options },
    {
      '/': () => ({
        status: 200,
        body: 'Clearmesh ztunnel\n\nGET  /config_dump\nGET  /pods\nGET  /debug/pprof/profile\nGET  /debug/pprof/heap\nPOST /logging\nPOST /quitquitquit\n',
      }),
      '/config_dump': () => jsonAnswer(dump(deps)),
      '/pods': () => jsonAnswer(deps.pods()),
      ...profileRoutes(deps),
      ...operatorRoutes(deps),
    },
    deps,
  );
}

function dump(deps: AdminDeps): Json {
  return {
    ...dumpSnapshot(deps.snapshot()),
    // Objects from a file instead of a control plane: this proxy has no such source.
    staticConfig: { workloads: [], services: [], policies: [] },
    version: { version: deps.version, buildProfile: 'release' },
    config: deps.config(),
    certificates: deps.certificates().map(dumpCertificate),
    workloadState: deps.workloadState(),
  };
}
