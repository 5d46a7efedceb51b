/** What a schema cannot say of an AuthorizationPolicy: values that would never match, and rules nobody would enforce. */
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { parsePort } from '../manifest/port.ts';
import type { AuthorizationPolicyManifest, ConditionManifest, RuleManifest } from '../manifest/authorization-policy.ts';
import { checkTarget, checkTargets } from './check-target-refs.ts';
import type { TargetRules } from './check-target-refs.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

/** Says why a value is wrong and what to write instead; `undefined` when it is right. */
type ValueCheck = (value: string) => Pick<Finding, 'message' | 'remedy'> | undefined;

export function checkAuthorizationPolicy(
  policy: AuthorizationPolicyManifest,
  rules: { readonly rootNamespace: string },
): readonly Finding[] {
  const { action, rules: entries = [] } = policy.spec ?? {};
  return [
    ...(action === 'CUSTOM' || action === 'AUDIT' ? [unenforced(action)] : []),
    ...checkAttachment(policy, rules.rootNamespace),
    ...checkDryRun(policy),
    ...entries.flatMap((rule, index) => checkRule(rule, ['spec', 'rules', index])),
  ];
}

function unenforced(action: string): Finding {
  return {
    path: ['spec', 'action'],
    value: action,
    message: `${action} is not enforced by any proxy of the mesh, so that the policy would do nothing`,
    remedy: 'Write ALLOW or DENY.',
  };
}

/** Node proxies go by the selector, waypoints by the targets: a policy with both would be half of what it reads. */
function checkAttachment(policy: AuthorizationPolicyManifest, rootNamespace: string): readonly Finding[] {
  const { selector, targetRef, targetRefs = [] } = policy.spec ?? {};
  const rules = authorizationTargets(policy.metadata.namespace, rootNamespace);
  const targeted = targetRef !== undefined || targetRefs.length > 0;
  return [
    ...(selector !== undefined && targeted ? [twoAttachments] : []),
    ...(targetRef === undefined ? [] : checkTarget(targetRef, ['spec', 'targetRef'], rules)),
    ...checkTargets(targetRefs, ['spec', 'targetRefs'], rules),
  ];
}

/** What an AuthorizationPolicy may be attached to. */
export function authorizationTargets(namespace: string, rootNamespace: string): TargetRules {
  return { namespace, kinds: ['Service', 'ServiceEntry', 'Gateway', 'GatewayClass'], rootNamespace };
}

const twoAttachments: Finding = {
  path: ['spec', 'selector'],
  at: 'key',
  message: 'contradicts targetRefs beside it: one is for node proxies, the other for waypoints',
  remedy: 'Keep one of the two, and write a second policy for the other.',
};

function checkDryRun(policy: AuthorizationPolicyManifest): readonly Finding[] {
  const value = policy.metadata.annotations?.['istio.io/dry-run'];
  if (value === undefined || value === 'true' || value === 'false') return [];
  return [
    {
      path: ['metadata', 'annotations', 'istio.io/dry-run'],
      value,
      message: 'must be true or false',
      remedy: 'Write "true" or "false".',
    },
  ];
}

function checkRule(rule: RuleManifest, path: FieldPath): readonly Finding[] {
  return [
    ...checkEntries(rule.from, [...path, 'from'], 'source'),
    ...checkEntries(rule.to, [...path, 'to'], 'operation'),
    ...(rule.when ?? []).flatMap((condition, index) => checkCondition(condition, [...path, 'when', index])),
  ];
}

type Fields = Readonly<Record<string, readonly string[] | undefined>>;

/** An entry without a field matches nothing, although it reads as "anything". */
function checkEntries(
  entries: readonly { readonly source?: Fields; readonly operation?: Fields }[] | undefined,
  path: FieldPath,
  name: 'source' | 'operation',
): readonly Finding[] {
  if (entries === undefined) return [];
  if (entries.length === 0) return [empty(path, 'Remove it, or add an entry.')];
  return entries.flatMap((entry, index) => {
    const fields = Object.entries(entry[name] ?? {});
    const at = [...path, index, name];
    if (fields.length === 0) return [empty(at, `Remove the entry, or say which ${name}.`)];
    return fields.flatMap(([field, values = []]) => checkValues(values, [...at, field], checkOf(field)));
  });
}

function checkCondition(condition: ConditionManifest, path: FieldPath): readonly Finding[] {
  const { key, values = [], notValues = [] } = condition;
  if (values.length + notValues.length === 0) return [empty([...path, 'values'], 'Give values or notValues.')];
  const check = checkOfKey(key);
  return [...checkList(values, [...path, 'values'], check), ...checkList(notValues, [...path, 'notValues'], check)];
}

function checkValues(values: readonly string[], path: FieldPath, check: ValueCheck): readonly Finding[] {
  return values.length === 0 ? [empty(path, 'Remove it, or add a value.')] : checkList(values, path, check);
}

function checkList(values: readonly string[], path: FieldPath, check: ValueCheck): readonly Finding[] {
  return values.flatMap((value, index) => {
    const wrong = check(value);
    return wrong === undefined ? [] : [{ path: [...path, index], value, ...wrong }];
  });
}

function empty(path: FieldPath, remedy: string): Finding {
  return { path, message: 'is empty', remedy };
}

function checkOf(field: string): ValueCheck {
  switch (field) {
    case 'ipBlocks':
    case 'notIpBlocks':
    case 'remoteIpBlocks':
    case 'notRemoteIpBlocks':
      return checkBlock;
    case 'ports':
    case 'notPorts':
      return checkPort;
    case 'serviceAccounts':
    case 'notServiceAccounts':
      return checkAccount;
    case 'principals':
    case 'notPrincipals':
      return checkPrincipal;
    case 'trustDomains':
    case 'notTrustDomains':
      return checkTrustDomain;
    default:
      return checkPattern;
  }
}

function checkOfKey(key: string): ValueCheck {
  switch (key) {
    case 'source.ip':
    case 'destination.ip':
    case 'remote.ip':
      return checkBlock;
    case 'destination.port':
      return checkPort;
    case 'source.principal':
      return checkPrincipal;
    default:
      return checkPattern;
  }
}

const checkBlock: ValueCheck = (value) =>
  parseBlock(value) === undefined
    ? {
        message: 'must be an IP address or a block of them',
        remedy: 'Write an address or a block, such as 10.0.0.0/8 or fd00::/16.',
      }
    : undefined;

const checkPort: ValueCheck = (value) =>
  parsePort(value) === undefined ? { message: 'must be a port', remedy: 'Write a port from 1 to 65535, in quotes.' } : undefined;

const checkAccount: ValueCheck = (value) =>
  /^([a-z0-9][-a-z0-9]*\/)?[a-z0-9][-a-z0-9.]*$/.test(value)
    ? undefined
    : {
        message: 'must name a service account',
        remedy: 'Write namespace/account, or account for one of the own namespace; wildcards do not apply.',
      };

const checkPrincipal: ValueCheck = (value) =>
  value.startsWith('spiffe://')
    ? { message: 'must stand without its scheme, or it never matches', remedy: `Write ${value.slice('spiffe://'.length)}.` }
    : checkPattern(value);

const checkTrustDomain: ValueCheck = (value) =>
  value.length > 1 && value.startsWith('*')
    ? {
        message: 'must not begin with *, since it is compared with the beginning of an identity',
        remedy: 'Write the whole trust domain.',
      }
    : checkPattern(value);

/** `*` means something at the beginning or the end only; elsewhere it would be compared as a letter. */
const checkPattern: ValueCheck = (value) => {
  if (value === '') return { message: 'is empty, and never matches', remedy: 'Remove it.' };
  const inner = value.startsWith('*') ? value.slice(1) : value.replace(/\*$/, '');
  return inner.includes('*')
    ? { message: 'must have * at the beginning or at the end only', remedy: 'Write x*, *x, or * alone.' }
    : undefined;
};
