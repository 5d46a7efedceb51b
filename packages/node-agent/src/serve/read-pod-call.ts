/** The body of a plugin's call. Pure; everything is checked, since the plugin may be of another version. */
import { CniError, cniCodes } from '../plugin/cni-error.ts';
import type { PodCall } from '../plugin/pod-call.ts';

/** Throws a {@link CniError} that names the field. */
export function readPodCall(text: string): PodCall {
  const body = parse(text);
  const field = (name: string): string => {
    const value = body[name];
    if (typeof value === 'string') return value;
    throw unusable(`${name} is ${JSON.stringify(value) ?? 'missing'}, not a text`);
  };
  const { ips, pid } = body;
  if (!Array.isArray(ips) || !ips.every((ip) => typeof ip === 'string')) throw unusable('ips is no list of texts');
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) throw unusable('pid is no process number');
  return {
    containerId: field('containerId'),
    netns: field('netns'),
    podNamespace: field('podNamespace'),
    podName: field('podName'),
    podUid: field('podUid'),
    ips,
    pid,
  };
}

function parse(text: string): { readonly [key: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as { readonly [key: string]: unknown };
  } catch {
    // Told below.
  }
  throw unusable('it is no JSON object');
}

function unusable(reason: string): CniError {
  return new CniError(
    cniCodes.undecodable,
    `the plugin's call cannot be read: ${reason}`,
    'The plugin and the agent may be of different versions: restart the agent, which installs its own plugin.',
  );
}
