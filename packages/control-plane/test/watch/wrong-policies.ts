/** Policies that are refused, and what is said of each. */
import type { WrongManifest } from './wrong-objects.ts';

export const policyHead = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, namespace: bank }
spec:
`;
export const peerHead = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: p, namespace: bank }
spec:
`;

export const wrongAuthorizationPolicies: readonly WrongManifest[] = [
  [
    'another version of a known kind',
    'apiVersion: security.istio.io/v1alpha1\nkind: AuthorizationPolicy\n',
    '1:13 apiVersion "security.istio.io/v1alpha1"',
    'is not a supported version of AuthorizationPolicy',
    'Write security.istio.io/v1.',
  ],
  [
    'an unknown field of a policy',
    `${policyHead}  rules:\n    - from:\n        - source: { principal: [x] }\n`,
    '7:21 spec.rules[0].from[0].source.principal ["x"]',
    /^is not a known field/,
    'Did you mean principals?',
  ],
  [
    'an unknown field far from any name',
    `${policyHead}  owner: me\n`,
    '5:3 spec.owner "me"',
    /^is not a known field/,
    /^Remove it; known here: selector, targetRef/,
  ],
  [
    'an unknown field in the metadata of a policy',
    'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p, namespace: b, lables: {} }\n',
    '3:36 metadata.lables {}',
    /^is not a known field/,
    'Did you mean labels?',
  ],
  [
    'an unknown field beside spec',
    `${policyHead}  action: DENY\nspecs: {}\n`,
    '6:1 specs {}',
    /^is not a known field/,
    'Did you mean spec?',
  ],
  [
    'an unknown action',
    `${policyHead}  action: DENNY\n`,
    '5:11 spec.action "DENNY"',
    /^must be one of ALLOW, DENY/,
    'Did you mean DENY?',
  ],
  [
    'an action nobody enforces',
    `${policyHead}  action: AUDIT\n`,
    '5:11 spec.action "AUDIT"',
    /not enforced/,
    'Write ALLOW or DENY.',
  ],
  [
    'a policy for pods and waypoints at once',
    `${policyHead}  selector: { matchLabels: { app: a } }\n  targetRefs: [{ kind: Service, name: s }]\n`,
    '5:3 spec.selector',
    /^contradicts targetRefs/,
    /^Keep one/,
  ],
  [
    'a target of no kind',
    `${policyHead}  targetRefs: [{ kind: Sevice, name: s }]\n`,
    '5:24 spec.targetRefs[0].kind "Sevice"',
    'must be one of Service, ServiceEntry, Gateway, GatewayClass',
    'Did you mean Service?',
  ],
  [
    'a target of another namespace',
    `${policyHead}  targetRef: { kind: Gateway, name: s, namespace: vault }\n`,
    '5:51 spec.targetRef.namespace "vault"',
    'must be the own namespace',
    /namespace of its target/,
  ],
  [
    'a target of another group',
    `${policyHead}  targetRefs: [{ group: apps, kind: Service, name: s }]\n`,
    '5:25 spec.targetRefs[0].group "apps"',
    'is not the API group of Service',
    'Write "".',
  ],
  [
    'a class as target outside the root namespace',
    `${policyHead}  targetRefs: [{ kind: GatewayClass, name: clearmesh-waypoint }]\n`,
    '5:24 spec.targetRefs[0].kind "GatewayClass"',
    /root namespace only/,
    /^Put the policy into clearmesh-system/,
  ],
  [
    'more targets than anybody reads',
    `${policyHead}  targetRefs:\n${'    - { kind: Service, name: s }\n'.repeat(17)}`,
    '6:5 spec.targetRefs 17',
    /more than 16/,
    /second policy/,
  ],
  [
    'a port that is none',
    `${policyHead}  rules:\n    - to:\n        - operation: { ports: ["http"] }\n`,
    '7:32 spec.rules[0].to[0].operation.ports[0] "http"',
    'must be a port',
    /65535/,
  ],
  [
    'a port without quotes',
    `${policyHead}  rules:\n    - to:\n        - operation: { ports: [80] }\n`,
    '7:32 spec.rules[0].to[0].operation.ports[0] 80',
    'must be of type string',
    'Put it in quotes: "80".',
  ],
  [
    'a block that is none',
    `${policyHead}  rules:\n    - from:\n        - source: { notIpBlocks: [10.0.0.0/33] }\n`,
    '7:35 spec.rules[0].from[0].source.notIpBlocks[0] "10.0.0.0/33"',
    /block/,
    /10\.0\.0\.0\/8/,
  ],
  [
    'a condition on a port that is none',
    `${policyHead}  rules:\n    - when:\n        - key: destination.port\n          notValues: ["0"]\n`,
    '8:23 spec.rules[0].when[0].notValues[0] "0"',
    'must be a port',
    /65535/,
  ],
  [
    'a condition without values',
    `${policyHead}  rules:\n    - when:\n        - key: source.ip\n`,
    '7:11 spec.rules[0].when[0].values',
    'is empty',
    'Give values or notValues.',
  ],
  [
    'a principal with its scheme',
    `${policyHead}  rules:\n    - from:\n        - source: { principals: [spiffe://cluster.local/ns/a/sa/b] }\n`,
    '7:34 spec.rules[0].from[0].source.principals[0] "spiffe://cluster.local/ns/a/sa/b"',
    /never matches/,
    'Write cluster.local/ns/a/sa/b.',
  ],
  [
    'a wildcard in the middle',
    `${policyHead}  rules:\n    - from:\n        - source: { namespaces: [a*b] }\n`,
    '7:34 spec.rules[0].from[0].source.namespaces[0] "a*b"',
    /beginning or at the end/,
    /\*x/,
  ],
  [
    'an account with a wildcard',
    `${policyHead}  rules:\n    - from:\n        - source: { serviceAccounts: ["pay/*"] }\n`,
    '7:39 spec.rules[0].from[0].source.serviceAccounts[0] "pay/*"',
    /service account/,
    /wildcards do not apply/,
  ],
  [
    'a suffix of a trust domain',
    `${policyHead}  rules:\n    - from:\n        - source: { trustDomains: ["*.example"] }\n`,
    '7:36 spec.rules[0].from[0].source.trustDomains[0] "*.example"',
    /begin with/,
    /whole trust domain/,
  ],
  [
    'a source without a field',
    `${policyHead}  rules:\n    - from:\n        - source: {}\n`,
    '7:19 spec.rules[0].from[0].source',
    'is empty',
    /say which source/,
  ],
  ['a list without an entry', `${policyHead}  rules:\n    - to: []\n`, '6:11 spec.rules[0].to', 'is empty', /add an entry/],
  [
    'a dry-run that is neither',
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: p\n  namespace: b\n  annotations: { istio.io/dry-run: "ja" }\n`,
    '6:36 metadata.annotations["istio.io/dry-run"] "ja"',
    'must be true or false',
    /"true"/,
  ],
];

export const wrongPeerAuthentications: readonly WrongManifest[] = [
  [
    'an unknown mTLS mode',
    `${peerHead}  mtls: { mode: STRIKT }\n`,
    '5:17 spec.mtls.mode "STRIKT"',
    /^must be one of/,
    'Did you mean STRICT?',
  ],
  [
    'PERMISSIVE without an end',
    `${peerHead}  mtls: { mode: PERMISSIVE }\n`,
    '5:17 spec.mtls.mode "PERMISSIVE"',
    /until when/,
    /clearmesh\.io\/permissive-until/,
  ],
  [
    'an open port without an end',
    `${peerHead}  selector: { matchLabels: { app: a } }\n  portLevelMtls:\n    8080: { mode: DISABLE }\n`,
    '7:19 spec.portLevelMtls[8080].mode "DISABLE"',
    /until when/,
    /permissive-until/,
  ],
  [
    'an end that is no date',
    `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: p\n  namespace: b\n  annotations:\n    clearmesh.io/permissive-until: soon\n`,
    '7:36 metadata.annotations["clearmesh.io/permissive-until"] "soon"',
    'must be a date',
    /2027-03-31/,
  ],
  [
    'a port key that is none',
    `${peerHead}  selector: { matchLabels: { app: a } }\n  portLevelMtls:\n    99999: { mode: STRICT }\n`,
    '7:5 spec.portLevelMtls[99999] "99999"',
    'must be a port',
    /65535/,
  ],
  [
    'ports without a selector',
    `${peerHead}  portLevelMtls:\n    8080: { mode: STRICT }\n`,
    '5:3 spec.portLevelMtls',
    /no effect/,
    /selector/,
  ],
  [
    'a selector in the root namespace',
    `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: p, namespace: clearmesh-system }\nspec:\n  selector: { matchLabels: { app: a } }\n`,
    '5:3 spec.selector',
    /no effect/,
    /Move the object/,
  ],
];
