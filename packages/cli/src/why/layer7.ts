/**
 * A request at a waypoint, as far as it can be told without the request. Pure; rules, routes and targets are compiled and
 * asked by the waypoint's own functions, once with every unknown part against the caller and once with it in its favour.
 */
import { l7Facts } from '@clearmesh/waypoint/authorise/l7-facts';
import { allowVerdict, compilePolicies, denyingPolicy } from '@clearmesh/waypoint/authorise/l7-policy';
import { compileRule, ruleMatches } from '@clearmesh/waypoint/authorise/l7-rule';
import { withoutHttp } from '@clearmesh/waypoint/authorise/opaque-policy';
import type { ConnectTarget } from '@clearmesh/waypoint/accept/connect-target';
import type { RequestFacts } from '@clearmesh/waypoint/exchange/request-facts';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { BoundService, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { principalOf } from '@clearmesh/shared/identity/spiffe';
import type { Decision, PolicyFinding } from './connection.ts';
import { certainRule, possibleRule, unknownOf } from './partial-rule.ts';
import type { Unknown } from './partial-rule.ts';
import type { AskedRequest } from './question.ts';
import { ruleText } from './rule-text.ts';
import { unreadFinding, unreadPolicies } from './unread.ts';

export type AtWaypoint = {
  readonly configuration: WaypointConfiguration;
  readonly bound: BoundService;
  readonly target: ConnectTarget;
  readonly identity: SpiffeId;
  readonly client: SocketAddress;
  readonly asked: AskedRequest;
};

export type Layer7 = Decision & { readonly policies: readonly PolicyFinding[] };

type Outcome = { readonly kind: 'allow' | 'deny'; readonly by?: { readonly policy: string; readonly rule: number } };

export function decideLayer7(at: AtWaypoint): Layer7 {
  const { bound, configuration, target, asked } = at;
  const written = bound.authorization.flatMap((key) => configuration.policies.authorization[key] ?? []);
  const opaque = target.protocol === 'TCP' || target.protocol === 'TLS';
  const policies = opaque ? written.map(withoutHttp) : written;
  const unknown = opaque ? nothing : unknownOf(asked);
  const facts = l7Facts(requestOf(at), undefined);
  const outcome = (favour: boolean): Outcome => {
    const compiled = compilePolicies(policies.map((policy) => decided(policy, unknown, favour)));
    const denying = denyingPolicy(compiled, facts);
    if (denying !== undefined) return { kind: 'deny', by: denying };
    const allowed = allowVerdict(compiled, facts);
    if (allowed.kind === 'no-allow-matched') return { kind: 'deny' };
    return { kind: 'allow', ...(allowed.by === undefined ? {} : { by: allowed.by }) };
  };
  const [worst, best] = [outcome(false), outcome(true)];
  const findings = written.map((policy, index) => findingOf(policies[index] ?? policy, policy, unknown, facts, best));
  const unread = unreadPolicies(at, opaque);
  const asks = bound.opa.filter((key) => !unread.some(({ object }) => object === key)).map(opaFinding);
  const refusing = unread.map(({ object, why }) => unreadFinding(object, why));
  return { ...conclusion(at, worst, best, findings, opaque), policies: [...findings, ...refusing, ...asks] };
}

const nothing: Unknown = { fields: new Set(), keys: [] };

/** With what is unknown in the caller's favour, or against it. */
function decided(policy: L7AuthorizationPolicy, unknown: Unknown, favour: boolean): L7AuthorizationPolicy {
  const generous = (policy.action === 'ALLOW') === favour;
  return { ...policy, rules: policy.rules.map((rule) => (generous ? possibleRule(rule, unknown) : certainRule(rule, unknown))) };
}

function conclusion(
  at: AtWaypoint,
  worst: Outcome,
  best: Outcome,
  findings: readonly PolicyFinding[],
  opaque: boolean,
): Decision {
  const { bound, configuration } = at;
  const waypoint = `waypoint ${configuration.namespace}/${configuration.name}`;
  const [opa] = bound.opa;
  const [unread] = unreadPolicies(at, opaque);
  // As the waypoint: tokens, DENY, OPA, ALLOW.
  const first = best.by === undefined || best.kind === 'allow' || unread?.stage === 'tokens';
  if (unread !== undefined && first) {
    return {
      verdict: 'REFUSED',
      because: `${waypoint} refuses in the name of ${unread.object}: ${unread.why}`,
      changes: [`Mend ${unread.object}: its status names field, value and remedy.`],
    };
  }
  if (best.kind === 'deny') return denied(at, waypoint, best, findings);
  if (opa !== undefined && opaque) {
    return {
      verdict: 'REFUSED',
      because: `${opa} judges HTTP requests, and this port speaks ${at.target.protocol}`,
      changes: [`Take the policy off this service, or declare the port's protocol (appProtocol: http).`],
    };
  }
  if (worst.kind === 'deny') {
    const open = findings.filter(({ outcome }) => outcome === 'depends').map(({ object }) => object);
    return {
      verdict: 'DEPENDS',
      because: `${waypoint} decides by the request: ${open.join(', ')}`,
      changes: [`Say which request is meant: ${missingFlags(at.asked)}.`],
    };
  }
  if (opa !== undefined) {
    return {
      verdict: 'DEPENDS',
      because: `${bound.opa.join(', ')} decides about each request at ${waypoint}`,
      changes: ['Try the request itself: a policy as code may look at all of it.'],
    };
  }
  const because =
    best.by === undefined
      ? `no policy at ${waypoint} keeps the request out`
      : `rule ${best.by.rule} of ${best.by.policy} (ALLOW) matches at ${waypoint}`;
  return { verdict: 'ALLOWED', because, changes: [] };
}

function denied(
  { bound, identity, asked }: AtWaypoint,
  waypoint: string,
  { by }: Outcome,
  findings: readonly PolicyFinding[],
): Decision {
  if (by !== undefined) {
    const changes = [`If the call is wanted, narrow rule ${by.rule} of ${by.policy}: no ALLOW overrides a DENY.`];
    return { verdict: 'REFUSED', because: `rule ${by.rule} of ${by.policy} (DENY) matches at ${waypoint}`, changes };
  }
  const allowing = findings.filter(({ action, dryRun }) => action === 'ALLOW' && !dryRun).map(({ object }) => object);
  const what = [asked.method, asked.path].filter((part) => part !== undefined).join(' ');
  const operation = [
    ...(asked.method === undefined ? [] : [`methods: [${asked.method}]`]),
    ...(asked.path === undefined ? [] : [`paths: ["${asked.path}"]`]),
  ];
  const to = operation.length === 0 ? '' : `, to: [{operation: {${operation.join(', ')}}}]`;
  const rule = `{from: [{source: {principals: ["${principalOf(identity)}"]}}]${to}}`;
  return {
    verdict: 'REFUSED',
    because: `ALLOW policies apply to ${bound.key} at ${waypoint} (${allowing.join(', ')}), and none of them matches ${identity}${what === '' ? '' : ` with ${what}`}`,
    changes: [`If the call is wanted, add to spec.rules of ${allowing[0] ?? 'an ALLOW policy'}: ${rule}`],
  };
}

function findingOf(
  policy: L7AuthorizationPolicy,
  written: L7AuthorizationPolicy,
  unknown: Unknown,
  facts: ReturnType<typeof l7Facts>,
  best: Outcome,
): PolicyFinding {
  const { key, action, dryRun, rules } = policy;
  const first = (rule: typeof certainRule): number =>
    rules.findIndex((each) => ruleMatches(compileRule(rule(each, unknown), policy), facts));
  const [certain, possible] = [first(certainRule), first(possibleRule)];
  const rule = certain === -1 ? possible : certain;
  return {
    object: key,
    action,
    at: 'waypoint',
    dryRun,
    outcome: certain !== -1 ? 'matches' : possible === -1 ? 'no match' : 'depends',
    ...(rule === -1 ? {} : { rule }),
    says:
      written.rules.length === 0
        ? ['no rules: matches nothing']
        : written.rules.map((each, index) => `rule ${index}: ${text(each)}`),
    decides: certain !== -1 && best.by?.policy === key,
  };
}

function text({ from, to, when }: L7AuthorizationPolicy['rules'][number]): string {
  return ruleText({
    ...(from === undefined ? {} : { from: from.map((source) => ({ source })) }),
    ...(to === undefined ? {} : { to: to.map((operation) => ({ operation })) }),
    ...(when === undefined ? {} : { when }),
  });
}

function opaFinding(object: string): PolicyFinding {
  const says = ['rules as code, which may look at the whole request'];
  return { object, action: 'DECIDES', at: 'waypoint', dryRun: false, outcome: 'depends', says, decides: false };
}

function missingFlags({ method, path }: AskedRequest): string {
  const flags = [...(method === undefined ? ['--method'] : []), ...(path === undefined ? ['--path'] : [])];
  return flags.length === 0 ? 'its token, host and headers decide, which cannot be given here' : flags.join(' and ');
}

/** Stand-ins for what is unknown: no rule that looks at them is asked. */
export function requestOf({ target, identity, client, asked }: AtWaypoint): RequestFacts {
  return {
    id: '00000000-0000-0000-0000-000000000000',
    caller: { identity, address: client, tls: { protocol: 'TLSv1.3', cipher: '' } },
    called: target.called,
    protocol: target.protocol === 'GRPC' || target.protocol === 'HTTP2' ? 'HTTP/2' : 'HTTP/1.1',
    grpc: target.protocol === 'GRPC',
    method: asked.method ?? 'GET',
    authority: target.called.hostname,
    path: asked.path ?? '/',
    query: '',
    headers: {},
    receivedAtMs: 0,
    startedMs: 0,
  };
}

/** What a waypoint takes the port for. */
export function protocolText({ protocol }: ConnectTarget): string {
  switch (protocol) {
    case 'TCP':
    case 'TLS':
      return `${protocol}: no request is seen, layer-4 fields decide`;
    case 'UNKNOWN':
      return 'not declared: looked for HTTP in the first bytes';
    case 'HTTP11':
    case 'HTTP2':
    case 'GRPC':
      return protocol;
    default:
      return unreachable(protocol);
  }
}
