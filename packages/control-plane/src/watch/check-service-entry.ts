/** What a schema cannot say of entries for what is outside of Kubernetes. */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { ServiceEntryManifest } from '../manifest/service-entry.ts';
import type { EntrySpec, WorkloadEntryManifest } from '../manifest/workload-entry.ts';

export function checkServiceEntry({ spec }: ServiceEntryManifest): readonly Finding[] {
  const { hosts, endpoints = [], resolution = 'NONE' } = spec;
  const found: Finding[] = [];
  if (hosts.length === 0) found.push({ path: ['spec', 'hosts'], message: 'is empty', remedy: 'Name a host.' });
  if (resolution === 'NONE' && endpoints.length > 0) {
    const message = 'do nothing with resolution NONE, which leads to the address that was asked for';
    found.push({ path: ['spec', 'endpoints'], message, remedy: 'Write resolution: STATIC, or remove the endpoints.' });
  }
  if (spec.workloadSelector !== undefined && endpoints.length > 0) {
    const message = 'do nothing beside a workloadSelector';
    found.push({ path: ['spec', 'endpoints'], message, remedy: 'Keep one of the two.' });
  }
  return [...found, ...checkPortNames(spec), ...endpoints.flatMap((each, at) => checkEndpoint(each, at, resolution))];
}

export function checkWorkloadEntry({ spec }: WorkloadEntryManifest): readonly Finding[] {
  return checkAddress(spec?.address ?? '', ['spec', 'address']);
}

/** Endpoints and containers are matched by these names. */
function checkPortNames({ ports = [] }: ServiceEntryManifest['spec']): readonly Finding[] {
  return ports.flatMap(({ name }, index) => {
    if (ports.findIndex((port) => port.name === name) === index) return [];
    const path = ['spec', 'ports', index, 'name'];
    return [{ path, value: name, message: 'is the name of another port too', remedy: 'Give each port a name of its own.' }];
  });
}

function checkEndpoint({ address = '' }: EntrySpec, index: number, resolution: string): readonly Finding[] {
  const path = ['spec', 'endpoints', index, 'address'];
  if (address !== '' && resolution === 'STATIC' && parseIp(address) === undefined) {
    const remedy = 'Write an IP address, or resolution: DNS.';
    return [{ path, value: address, message: 'must be an IP address with resolution STATIC', remedy }];
  }
  return checkAddress(address, path);
}

function checkAddress(address: string, path: FieldPath): readonly Finding[] {
  if (address === '' || parseIp(address) !== undefined || dnsName.test(address)) return [];
  const remedy = 'Write an IP address, or a DNS name.';
  return [{ path, value: address, message: 'is neither an IP address nor a DNS name', remedy }];
}

/** Its last label has a letter: 10.0.0.300 is a mistyped address, and no name. */
const dnsName =
  /^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.)*(?=[-0-9]*[a-zA-Z])[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.?$/;
