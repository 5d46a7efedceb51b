/** `clearmesh describe pod|service|namespace NAME`. */
import { nearestName } from '@clearmesh/shared/document/nearest-name';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { renderDescription } from '../describe/description.ts';
import type { Description } from '../describe/description.ts';
import { describeNamespace } from '../describe/namespace.ts';
import { describePod } from '../describe/pod.ts';
import { describeService } from '../describe/service.ts';
import { openMesh } from '../mesh/open-mesh.ts';
import type { MeshPlace } from '../mesh/open-mesh.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import type { CommandDeps } from './command-deps.ts';

type DescribedKind = 'pod' | 'service' | 'namespace';

export type DescribeOptions = {
  readonly kind: string;
  /** `name`, or `namespace/name`. */
  readonly name: string;
  readonly namespace: string;
  readonly place: MeshPlace;
  readonly output: 'table' | 'json';
};

const kinds: Readonly<Record<string, DescribedKind>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  service: 'service',
  services: 'service',
  svc: 'service',
  namespace: 'namespace',
  namespaces: 'namespace',
  ns: 'namespace',
};

export async function runDescribe(
  options: DescribeOptions,
  { clock, env, console }: Pick<CommandDeps, 'clock' | 'env' | 'console'>,
  signal: AbortSignal,
): Promise<number> {
  const kind = kinds[options.kind];
  if (kind === undefined) {
    const hint = 'Write pod, service or namespace; of other kinds clearmesh get shows the conditions.';
    throw new MeshError('MESH-CONFIG-003', { message: `${options.kind} cannot be described`, hint });
  }
  const description = describe(await openMesh(options.place, { clock, env }, signal), kind, options);
  if (options.output === 'json') console.print(`${JSON.stringify(description, undefined, 2)}\n`);
  else console.print(`${renderDescription(description, console.width(), console.style).join('\n')}\n`);
  return 0;
}

function describe(view: MeshView, kind: DescribedKind, options: DescribeOptions): Description {
  const { pods, services, namespaces } = view.collections;
  if (kind === 'namespace') {
    if (!namespaces.has(options.name)) throw unknown(kind, options.name, [...namespaces.keys()]);
    return describeNamespace(view, options.name);
  }
  const slash = options.name.indexOf('/');
  const namespace = slash < 0 ? options.namespace : options.name.slice(0, slash);
  const name = options.name.slice(slash + 1);
  const named = ({ metadata }: { readonly metadata: { readonly namespace: string; readonly name: string } }): boolean =>
    metadata.namespace === namespace && metadata.name === name;
  const known = (kind === 'pod' ? pods : services)
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => metadata.name);
  const found = kind === 'pod' ? pods.find(named) : undefined;
  if (found !== undefined) return describePod(view, found);
  const service = kind === 'service' ? services.find(named) : undefined;
  if (service !== undefined) return describeService(view, service);
  throw unknown(kind, `${namespace}/${name}`, known);
}

function unknown(kind: DescribedKind, name: string, known: readonly string[]): MeshError {
  const near = nearestName(name.slice(name.indexOf('/') + 1), known);
  const there = known.length === 0 ? 'There is none; -n names another namespace.' : `There is ${known.slice(0, 10).join(', ')}.`;
  return new MeshError('MESH-CONFIG-003', {
    message: `there is no ${kind} ${name}`,
    hint: near === undefined ? there : `Did you mean ${near}? ${there}`,
  });
}
