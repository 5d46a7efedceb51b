/**
 * One invocation of the plugin: environment and standard input as a value, or an error of the specification (CNI 1.1.0,
 * sections 2 and 4). Pure.
 */
import { CniError, cniCodes } from './cni-error.ts';
import type { PodCall } from './pod-call.ts';

/** Oldest first. */
export const supportedVersions: readonly string[] = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

/** Our entry in the network's plugin list. */
export type Entry = {
  /** The agent's socket. */
  readonly socket: string;
  /** Namespaces whose pods start without the agent. */
  readonly excludedNamespaces: readonly string[];
  /** Time for the agent's answer, milliseconds. */
  readonly timeoutMs: number;
  /** Whether STATUS fails while the agent does not answer. */
  readonly statusFromAgent: boolean;
};

type PrevResult = { readonly [key: string]: unknown };

export type Invocation =
  | { readonly kind: 'add'; readonly entry: Entry; readonly call: PodCall; readonly result: string }
  | { readonly kind: 'check' | 'del'; readonly entry: Entry; readonly call: PodCall }
  | { readonly kind: 'status'; readonly entry: Entry }
  /** Nothing to ask: `output` is the whole answer. */
  | { readonly kind: 'answer'; readonly output: string };

type Environment = Readonly<Record<string, string | undefined>>;
type Configuration = { readonly [key: string]: unknown };

const defaultSocket = '/var/run/clearmesh/cni/plugin.sock';

/** Reads an invocation; throws a {@link CniError}. `pid` is this process. */
export function readInvocation(env: Environment, input: string, pid: number): Invocation {
  const command = env['CNI_COMMAND'] ?? '';
  const configuration = readConfiguration(input);
  const cniVersion = versionOf(configuration);
  if (command === 'VERSION') return { kind: 'answer', output: JSON.stringify({ cniVersion, supportedVersions }) };
  if (!supportedVersions.includes(cniVersion)) {
    throw new CniError(
      cniCodes.incompatibleVersion,
      `network configuration of CNI version ${JSON.stringify(cniVersion)} is not supported`,
      `Use one of ${supportedVersions.join(', ')} as cniVersion of the network's configuration.`,
    );
  }
  const entry = readEntry(configuration);
  switch (command) {
    case 'ADD':
      return readAdd(env, configuration, entry, pid);
    case 'CHECK':
      return ask('check', entry, readCall(env, requirePrevResult(configuration, command), pid));
    case 'DEL':
      return ask('del', entry, readCall({ CNI_NETNS: '', ...env }, prevResultOf(configuration) ?? {}, pid));
    case 'STATUS':
      return { kind: 'status', entry };
    case 'GC':
      // The agent follows the pods of its node by itself, and lets go of what is not there any more.
      return { kind: 'answer', output: '' };
    default:
      throw badEnvironment('CNI_COMMAND', command, 'Call it with ADD, CHECK, DEL, GC, STATUS or VERSION.');
  }
}

/** The configuration's version, for error objects; the newest one when the input cannot be read. */
export function versionFor(input: string): string {
  try {
    const version = versionOf(readConfiguration(input));
    return supportedVersions.includes(version) ? version : '1.1.0';
  } catch {
    return '1.1.0';
  }
}

function readAdd(env: Environment, configuration: Configuration, entry: Entry, pid: number): Invocation {
  const prevResult = requirePrevResult(configuration, 'ADD');
  const call = readCall(env, prevResult, pid);
  const result = JSON.stringify({ ...prevResult, cniVersion: configuration['cniVersion'] });
  return startsWithoutAgent(call, entry) ? { kind: 'answer', output: result } : { kind: 'add', entry, call, result };
}

function ask(kind: 'check' | 'del', entry: Entry, call: PodCall): Invocation {
  return startsWithoutAgent(call, entry) ? { kind: 'answer', output: '' } : { kind, entry, call };
}

/** A sandbox that belongs to no pod of Kubernetes has no labels to be enrolled by. */
function startsWithoutAgent({ podNamespace }: PodCall, { excludedNamespaces }: Entry): boolean {
  return podNamespace === '' || excludedNamespaces.includes(podNamespace);
}

function readConfiguration(input: string): Configuration {
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch (error) {
    throw undecodable(`it is not JSON: ${String(error)}`);
  }
  if (!isRecord(value)) throw undecodable('it is not a JSON object');
  return value;
}

function undecodable(reason: string): CniError {
  return new CniError(
    cniCodes.undecodable,
    `the network configuration on standard input cannot be read: ${reason}`,
    'The container runtime sends it; look at the files in the CNI configuration directory.',
  );
}

/** The specification's default for a missing version is 0.1.0. */
function versionOf(configuration: Configuration): string {
  const version = configuration['cniVersion'] ?? '0.1.0';
  if (typeof version !== 'string') throw badConfiguration('cniVersion', version, 'Write a version such as "1.0.0".');
  return version;
}

function readEntry(configuration: Configuration): Entry {
  const { socket = defaultSocket, excludeNamespaces = ['kube-system'], systemNamespace = 'clearmesh-system' } = configuration;
  const { timeoutMs = 20_000, statusFromAgent = false } = configuration;
  if (typeof socket !== 'string' || !socket.startsWith('/'))
    throw badConfiguration('socket', socket, `Write an absolute path such as ${defaultSocket}.`);
  if (!isTexts(excludeNamespaces))
    throw badConfiguration('excludeNamespaces', excludeNamespaces, 'Write a list of namespace names.');
  if (typeof systemNamespace !== 'string')
    throw badConfiguration('systemNamespace', systemNamespace, 'Write the name of a namespace.');
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 100 && timeoutMs <= 120_000))
    throw badConfiguration('timeoutMs', timeoutMs, 'Write a number of milliseconds from 100 to 120000.');
  if (typeof statusFromAgent !== 'boolean') throw badConfiguration('statusFromAgent', statusFromAgent, 'Write true or false.');
  return { socket, excludedNamespaces: [...excludeNamespaces, systemNamespace], timeoutMs, statusFromAgent };
}

function prevResultOf(configuration: Configuration): PrevResult | undefined {
  const { prevResult } = configuration;
  return isRecord(prevResult) ? prevResult : undefined;
}

function requirePrevResult(configuration: Configuration, command: string): PrevResult {
  const prevResult = prevResultOf(configuration);
  if (prevResult !== undefined) return prevResult;
  throw new CniError(
    cniCodes.badConfiguration,
    `${command} without a prevResult: the plugin makes no network of its own`,
    'List it after the plugin that does, in the plugins of a .conflist.',
  );
}

function readCall(env: Environment, prevResult: PrevResult, pid: number): PodCall {
  const args = readArguments(env['CNI_ARGS'] ?? '');
  return {
    containerId: required(env, 'CNI_CONTAINERID'),
    netns: env['CNI_NETNS'] ?? required(env, 'CNI_NETNS'),
    podNamespace: args.get('K8S_POD_NAMESPACE') ?? '',
    podName: args.get('K8S_POD_NAME') ?? '',
    podUid: args.get('K8S_POD_UID') ?? '',
    ips: addressesOf(prevResult),
    pid,
  };
}

function required(env: Environment, name: string): string {
  const value = env[name] ?? '';
  if (value === '') throw badEnvironment(name, value, 'The container runtime has to set it.');
  return value;
}

/** `A=1;B=2` (section 2, CNI_ARGS); a name given twice counts the last time. */
export function readArguments(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of text.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0) found.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  return found;
}

/** `ips[].address` without the prefix length, the same in every version since 0.3.0. */
function addressesOf(prevResult: PrevResult): readonly string[] {
  const { ips } = prevResult;
  if (!Array.isArray(ips)) return [];
  return ips.flatMap((entry: unknown) => {
    const address = isRecord(entry) ? entry['address'] : undefined;
    return typeof address === 'string' ? [address.split('/', 1)[0] ?? ''] : [];
  });
}

function badEnvironment(name: string, value: string, remedy: string): CniError {
  return new CniError(cniCodes.badEnvironment, `environment variable ${name}=${JSON.stringify(value)} is not usable`, remedy);
}

function badConfiguration(key: string, value: unknown, remedy: string): CniError {
  const message = `${key} of the clearmesh-cni entry is ${JSON.stringify(value)}, which is not usable`;
  return new CniError(cniCodes.badConfiguration, message, remedy);
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
