/** What a schema cannot say of a PeerAuthentication. */
import { opensPlaintext, parsePermissiveUntil, permissiveUntilAnnotation } from '../manifest/permissive-until.ts';
import { parsePort } from '../manifest/port.ts';
import type { PeerAuthenticationManifest } from '../manifest/peer-authentication.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

export type PeerAuthenticationRules = {
  /** PERMISSIVE and DISABLE need `clearmesh.io/permissive-until`. @default true */
  readonly requirePermissiveExpiry: boolean;
  readonly rootNamespace: string;
};

const annotation: FieldPath = ['metadata', 'annotations', permissiveUntilAnnotation];

export function checkPeerAuthentication(policy: PeerAuthenticationManifest, rules: PeerAuthenticationRules): readonly Finding[] {
  const { selector, portLevelMtls = {} } = policy.spec ?? {};
  const selects = Object.keys(selector?.matchLabels ?? {}).length > 0;
  const ports = Object.keys(portLevelMtls);
  return [
    ...checkExpiry(policy, rules),
    ...ports.flatMap((port) => (parsePort(port) === undefined ? [badPort(port)] : [])),
    ...(ports.length > 0 && !selects ? [portsWithoutSelector] : []),
    ...(selects && policy.metadata.namespace === rules.rootNamespace ? [selectorInRoot] : []),
  ];
}

/** Design decision 4: plaintext is an exception, and an exception ends. */
function checkExpiry(policy: PeerAuthenticationManifest, rules: PeerAuthenticationRules): readonly Finding[] {
  const value = policy.metadata.annotations?.[permissiveUntilAnnotation];
  if (value !== undefined) {
    if (parsePermissiveUntil(value) !== undefined) return [];
    return [
      {
        path: annotation,
        value,
        message: 'must be a date',
        remedy: 'Write a date or a time, such as "2027-03-31" or "2027-03-31T18:00:00Z".',
      },
    ];
  }
  if (!rules.requirePermissiveExpiry || !opensPlaintext(policy)) return [];
  return [
    {
      path: modePath(policy),
      value: valueAt(policy),
      message: 'allows plaintext, and nothing says until when',
      remedy: `Write STRICT, or add the annotation ${permissiveUntilAnnotation} with the last day, such as "2027-03-31"; afterwards STRICT applies.`,
    },
  ];
}

function modePath(policy: PeerAuthenticationManifest): FieldPath {
  const port = openPort(policy);
  return port === undefined ? ['spec', 'mtls', 'mode'] : ['spec', 'portLevelMtls', port, 'mode'];
}

function valueAt(policy: PeerAuthenticationManifest): string | undefined {
  const { mtls, portLevelMtls = {} } = policy.spec ?? {};
  const port = openPort(policy);
  return port === undefined ? mtls?.mode : portLevelMtls[port]?.mode;
}

/** The port whose mode is to blame; `undefined` when it is the object's own mode. */
function openPort(policy: PeerAuthenticationManifest): string | undefined {
  const { mtls, portLevelMtls = {} } = policy.spec ?? {};
  const isOpen = (mode: string | undefined): boolean => mode === 'PERMISSIVE' || mode === 'DISABLE';
  return isOpen(mtls?.mode) ? undefined : Object.keys(portLevelMtls).find((port) => isOpen(portLevelMtls[port]?.mode));
}

function badPort(port: string): Finding {
  return {
    path: ['spec', 'portLevelMtls', port],
    at: 'key',
    value: port,
    message: 'must be a port',
    remedy: 'Write a port from 1 to 65535.',
  };
}

const portsWithoutSelector: Finding = {
  path: ['spec', 'portLevelMtls'],
  at: 'key',
  message: 'has no effect without a selector',
  remedy: 'Add spec.selector.matchLabels with the labels of the pods, or remove the ports.',
};

const selectorInRoot: Finding = {
  path: ['spec', 'selector'],
  at: 'key',
  message: 'has no effect in the root namespace, whose objects are for the whole mesh',
  remedy: 'Move the object to the namespace of the pods, or remove the selector.',
};
