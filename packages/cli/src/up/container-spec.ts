/**
 * What to run for a pod: command, arguments, environment and port of its first container. The mesh itself reads none of
 * this, so its schema lets it through unseen; here is where it becomes typed, and where mistakes in it are named.
 */
import type { Finding } from '@clearmesh/shared/document/finding';
import type { ContainerSpec, PodField } from './desired-pod.ts';

/** Paths of findings begin at the container. */
export type ContainerReading =
  | { readonly ok: true; readonly spec: ContainerSpec }
  | { readonly ok: false; readonly findings: readonly Finding[] };

type Fields = Readonly<Record<string, unknown>>;

const podFields: ReadonlySet<string> = new Set<PodField>([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.podIP',
]);

const envRemedy = `Write a text as value (quote numbers), or valueFrom.fieldRef.fieldPath with one of ${[...podFields].join(', ')}.`;

/** Reads `spec.containers[0]`. */
export function readContainer(container: unknown): ContainerReading {
  const fields = isFields(container) ? container : {};
  const findings: Finding[] = [];
  const command = [...texts(fields, 'command', findings), ...texts(fields, 'args', findings)];
  if (command.length === 0 && findings.length === 0) {
    findings.push({
      path: ['command'],
      message: 'is missing; a simulated node pulls no image',
      remedy: 'Name the program to run.',
    });
  }
  const { env, envFromFields } = environment(fields['env'], findings);
  const workingDir = typeof fields['workingDir'] === 'string' ? fields['workingDir'] : '.';
  const ports = tcpPorts(fields['ports']);
  const port = ports[0]?.number;
  if (findings.length > 0) return { ok: false, findings };
  const namedPorts = Object.fromEntries(ports.filter(({ name }) => name !== '').map(({ name, number }) => [name, number]));
  return { ok: true, spec: { command, env, envFromFields, workingDir, namedPorts, ...(port === undefined ? {} : { port }) } };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPodField(text: unknown): text is PodField {
  return typeof text === 'string' && podFields.has(text);
}

function texts(fields: Fields, name: string, findings: Finding[]): readonly string[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
  findings.push({ path: [name], value, message: 'must be a list of texts', remedy: 'Write one item each, and quote numbers.' });
  return [];
}

function environment(list: unknown, findings: Finding[]): Pick<ContainerSpec, 'env' | 'envFromFields'> {
  const env: Record<string, string> = {};
  const envFromFields: Record<string, PodField> = {};
  for (const [index, entry] of (Array.isArray(list) ? list : []).entries()) {
    const { name, value = '', valueFrom } = isFields(entry) ? entry : {};
    if (typeof name !== 'string' || name === '') {
      findings.push({ path: ['env', index, 'name'], message: 'is missing', remedy: 'Name the variable.' });
    } else if (valueFrom === undefined && typeof value === 'string') {
      env[name] = value;
    } else {
      const path = fieldPath(valueFrom);
      if (isPodField(path)) envFromFields[name] = path;
      else findings.push({ path: ['env', index], value: entry, message: 'has no usable value', remedy: envRemedy });
    }
  }
  return { env, envFromFields };
}

function fieldPath(valueFrom: unknown): unknown {
  const reference = isFields(valueFrom) ? valueFrom['fieldRef'] : undefined;
  return isFields(reference) ? reference['fieldPath'] : undefined;
}

function tcpPorts(ports: unknown): readonly { readonly name: string; readonly number: number }[] {
  return (Array.isArray(ports) ? ports : []).flatMap((port: unknown) => {
    const { name, containerPort, protocol = 'TCP' } = isFields(port) ? port : {};
    if (protocol !== 'TCP' || typeof containerPort !== 'number') return [];
    return [{ name: typeof name === 'string' ? name : '', number: containerPort }];
  });
}
