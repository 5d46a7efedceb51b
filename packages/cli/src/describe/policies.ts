/** Policies that concern workloads, as rows. Pure. */
import { policiesFor } from '@clearmesh/ztunnel/authorise/authorise';
import type { Labels } from '@clearmesh/control-plane/manifest/metadata';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { BoundService, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { MeshView } from '../mesh/mesh-view.ts';
import { mtlsOf } from '../why/mtls.ts';
import { rulesText } from '../why/rule-text.ts';
import type { Row } from '../terminal/rows.ts';

/** What ztunnel asks before it lets anybody in, DENY first as it does. */
export function policyRows(view: MeshView, workloads: readonly Workload[], labels: Labels | undefined): readonly Row[] {
  const policies = new Map(
    workloads.flatMap((each) => policiesFor(each, view.snapshot).map((policy) => [policy.key, policy] as const)),
  );
  const rank = ({ action }: Authorization): number => (action === 'DENY' ? 0 : 1);
  const [namespace = ''] = workloads.map((each) => each.namespace);
  return [...policies.values()]
    .toSorted((a, b) => rank(a) - rank(b))
    .map((policy) => {
      const written = view.collections.authorizationPolicies.find(
        ({ metadata }) => metadata.namespace === policy.namespace && metadata.name === policy.name,
      );
      if (written !== undefined) return row(policy, policy.key, rulesText(written).join('; '));
      return row(policy, mtlsOf(view, namespace, labels).by, 'plaintext: mTLS mode');
    });
}

function row({ action, scope, dryRun }: Authorization, policy: string, says: string): Row {
  return { policy, action: dryRun ? `${action} (dry run)` : action, scope: scope.toLowerCase().replaceAll('_', ' '), says };
}

/** What a waypoint does to requests of a service. */
export function waypointRows({ policies }: WaypointConfiguration, bound: BoundService): readonly Row[] {
  const keys = (list: readonly string[], says: string): readonly Row[] => list.map((object) => ({ object, says }));
  return [
    ...bound.jwt.map((object) => {
      const told = policies.jwt[object];
      const says = told !== undefined && 'unread' in told ? 'cannot be read: no token is accepted' : 'tokens must hold';
      return { object, says };
    }),
    ...bound.authorization.map((object) => ({ object, says: `${policies.authorization[object]?.action ?? ''} by request` })),
    ...bound.opa.map((object) => {
      const unread = policies.opa[object]?.engine.kind === 'none';
      return { object, says: unread ? 'cannot be read: every request is refused' : 'rules as code' };
    }),
    ...keys(bound.rateLimits, 'limits of requests'),
    ...keys(bound.resilience === undefined ? [] : [bound.resilience], 'deadlines, retries, breakers, idempotency'),
    ...keys(bound.faults, 'faults are injected'),
    ...keys(
      bound.routes.map(({ key }) => key),
      'route',
    ),
  ];
}
