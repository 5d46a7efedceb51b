/** Status of a BankingDomain: whether what it says of its waypoint holds. */
import { isWaypoint } from '../manifest/gateway.ts';
import { objectName } from '../manifest/collections.ts';
import { condition } from './status-report.ts';
import type { BankingDomainManifest } from '../manifest/banking-domain.ts';
import type { PolicySurroundings } from './policy-status.ts';
import type { Condition, ObjectStatus } from './status-report.ts';

export function domainStatus({ spec }: BankingDomainManifest, around: PolicySurroundings): ObjectStatus {
  return { conditions: [accepted(spec, around)] };
}

function accepted(
  { namespaces, waypoint }: BankingDomainManifest['spec'],
  { gateways, bindings }: PolicySurroundings,
): Condition {
  if (waypoint === undefined) return condition('Accepted', 'True', 'Accepted', 'the domain has no waypoint of its own');
  const key = objectName(waypoint);
  const gateway = gateways.get(key);
  if (gateway === undefined || !isWaypoint(gateway)) {
    const what = gateway === undefined ? `there is no Gateway ${key}` : `Gateway ${key} is no waypoint`;
    return condition('Accepted', 'False', 'TargetNotFound', `${what}; calls to services of the domain are refused`);
  }
  const own = [...bindings.services].filter(([service]) => namespaces.includes(service.split('/')[0] ?? ''));
  const using = own.filter(([, binding]) => binding.gateway === key);
  const refused = using.filter(([, { reason }]) => reason === 'AttachmentDenied').map(([service]) => service);
  if (refused.length > 0) {
    const message = `Gateway ${key} does not admit ${refused.join(', ')} (allowedRoutes of its listener); calls to them are refused`;
    return condition('Accepted', 'False', 'AttachmentDenied', message);
  }
  const served = using.filter(([, binding]) => binding.served).length;
  return condition('Accepted', 'True', 'Accepted', `Gateway ${key} serves ${served} services of the domain`);
}
