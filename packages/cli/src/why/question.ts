/**
 * Who wants to reach what, as people type it. Pure.
 *
 *   FROM  ns/pod   ns/deploy/name   ns/sa:name
 *   TO    ns/name  ns/svc/name  ns/pod/name  ns/deploy/name  10.0.0.1   each with :port
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type FromReference = {
  readonly kind: 'pod' | 'deployment' | 'account';
  readonly namespace: string;
  readonly name: string;
};

export type ToReference =
  | { readonly kind: 'address'; readonly ip: IpAddress; readonly port?: number }
  /** `any`: a Service of that name, else a pod. */
  | {
      readonly kind: 'any' | 'service' | 'pod' | 'deployment';
      readonly namespace: string;
      readonly name: string;
      readonly port?: number;
    };

/** A request that is asked about; absent parts may be anything. */
export type AskedRequest = { readonly method?: string; readonly path?: string };

const kinds: Readonly<Record<string, 'pod' | 'deployment' | 'service'>> = {
  po: 'pod',
  pod: 'pod',
  deploy: 'deployment',
  deployment: 'deployment',
  svc: 'service',
  service: 'service',
};

const name = '[a-z0-9][-a-z0-9.]*';
const fromPattern = new RegExp(`^(?<namespace>${name})/(?:(?<account>sa[:/])|(?<kind>[a-z]+)/)?(?<name>${name})$`);
const toPattern = new RegExp(`^(?<namespace>${name})/(?:(?<kind>[a-z]+)/)?(?<name>${name})$`);

export function parseFrom(text: string): FromReference {
  const groups = fromPattern.exec(text)?.groups;
  const kind = groups?.['account'] !== undefined ? 'account' : (kinds[groups?.['kind'] ?? 'pod'] ?? 'service');
  if (groups === undefined || kind === 'service') {
    throw new MeshError('MESH-CONFIG-003', {
      message: `FROM: ${text} names no caller`,
      hint: 'Write a pod as namespace/pod, a Deployment as namespace/deploy/name, a service account as namespace/sa:name.',
    });
  }
  return { kind, namespace: groups['namespace'] ?? '', name: groups['name'] ?? '' };
}

export function parseTo(text: string): ToReference {
  const { host, port } = splitPort(text);
  const ip = parseIp(host);
  if (ip !== undefined) return { kind: 'address', ip, ...port };
  const groups = toPattern.exec(host)?.groups;
  const kind = groups?.['kind'] === undefined ? 'any' : kinds[groups['kind']];
  if (groups === undefined || kind === undefined) {
    throw new MeshError('MESH-CONFIG-003', {
      message: `TO: ${text} names no destination`,
      hint: 'Write a Service as namespace/name:port, a pod as namespace/pod/name:port, or an address such as 10.0.0.1:8080.',
    });
  }
  return { kind, namespace: groups['namespace'] ?? '', name: groups['name'] ?? '', ...port };
}

/** `[fd00::1]:80`, `10.0.0.1:80`, `ns/name:80`; an IPv6 address without brackets has no port. */
function splitPort(text: string): { readonly host: string; readonly port: { readonly port?: number } } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return { host: text, port: {} };
  if (digits === undefined) return { host, port: {} };
  const port = Number(digits);
  if (port >= 1 && port <= 65_535) return { host, port: { port } };
  throw new MeshError('MESH-CONFIG-003', {
    message: `TO: port ${digits} of ${text} is none`,
    hint: 'Ports are from 1 to 65535.',
  });
}
