/**
 * What stands for a BankingDomain that cannot be read: its waypoint keeps callers out of its namespaces, and must not be
 * lost with it.
 *
 * N1  What can be read of it stays in force.
 * N2  A waypoint that cannot be read is one that nobody has: what would be behind it is refused to everybody.
 * N3  Namespaces that cannot be read are all of the mesh, but those that name a waypoint or belong to another domain.
 * N4  One that says legibly that it has no waypoint keeps nobody out.
 */
import { domainFields, unreadWaypoint } from '../manifest/banking-domain.ts';
import { checkBankingDomain } from './check-banking-domain.ts';
import { hasStrangers, readAs } from './unread-fields.ts';
import type { BankingDomainManifest } from '../manifest/banking-domain.ts';
import type { StandIn } from './stand-in.ts';
import type { UnreadFields } from './unread-fields.ts';

type Rules = { readonly rootNamespace: string };
type Waypoint = { readonly name: string; readonly namespace: string };
type Spec = BankingDomainManifest['spec'];

export function domainKept(
  metadata: BankingDomainManifest['metadata'],
  fields: UnreadFields | undefined,
  rules: Rules,
): StandIn | undefined {
  const waypoint = waypointOf(fields);
  const named = namespacesOf(fields, rules);
  if (waypoint === undefined || (named !== 'unreadable' && named.length === 0)) return undefined;
  const lost = waypoint === 'unreadable';
  const standing = lost ? { name: unreadWaypoint(metadata.name), namespace: rules.rootNamespace } : waypoint;
  const mesh = named === 'unreadable';
  const spec: Spec = {
    namespaces: mesh ? [] : named,
    waypoint: standing,
    ...(lost || mesh ? {} : readableExtras({ namespaces: named, waypoint }, fields, rules)),
  };
  const whose = mesh
    ? 'every namespace of the mesh that names no waypoint and belongs to no other domain'
    : `the namespaces ${named.join(', ')}, where they name no waypoint themselves,`;
  const what = lost
    ? `nobody reaches the services of ${whose} until it is mended.`
    : `the services of ${whose} are reached through waypoint ${waypoint.namespace}/${waypoint.name} alone until it is mended.`;
  const effect = `${reasonOf(mesh, lost)}: ${what}`;
  return { manifest: { kind: 'BankingDomain', value: { metadata, spec, standIn: mesh ? 'mesh' : 'attached' } }, effect };
}

function reasonOf(mesh: boolean, lost: boolean): string {
  if (mesh && lost) return 'Neither its namespaces nor its waypoint can be read';
  if (mesh) return 'Which namespaces it is for cannot be read';
  return lost ? 'Its waypoint cannot be read' : 'What can be read of it stays in force';
}

/** N4: `undefined`. A field that nobody knows may have been meant for it. */
function waypointOf(fields: UnreadFields | undefined): Waypoint | 'unreadable' | undefined {
  if (fields === undefined) return 'unreadable';
  const waypoint = readAs(domainFields.waypoint, fields['waypoint']);
  if (waypoint === undefined) return hasStrangers(fields, Object.keys(domainFields)) ? 'unreadable' : undefined;
  return waypoint !== 'unreadable' && waypoint.name === 'none' ? 'unreadable' : waypoint;
}

function namespacesOf(fields: UnreadFields | undefined, { rootNamespace }: Rules): readonly string[] | 'unreadable' {
  const namespaces = readAs(domainFields.namespaces, fields?.['namespaces']);
  if (namespaces === undefined || namespaces === 'unreadable') return 'unreadable';
  // The root namespace belongs to no domain.
  return [...new Set(namespaces)].filter((name) => name !== rootNamespace);
}

function readableExtras(spec: Spec, fields: UnreadFields | undefined, rules: Rules): Partial<Spec> {
  const criticality = readAs(domainFields.criticality, fields?.['criticality']);
  const defaults = readAs(domainFields.defaults, fields?.['defaults']);
  const told = criticality === undefined || criticality === 'unreadable' ? {} : { criticality };
  if (defaults === undefined || defaults === 'unreadable') return told;
  const wrong = checkBankingDomain({ metadata: { name: '' }, spec: { ...spec, defaults } }, rules).length > 0;
  return wrong ? told : { ...told, defaults };
}
