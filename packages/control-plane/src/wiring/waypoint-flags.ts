/** Flags for the waypoints that are deployed in a cluster. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { LogLevel } from '@clearmesh/shared/observe/log';
import type { WaypointSetting } from './options.ts';

export type WaypointFlags = {
  readonly waypointImage?: string;
  readonly waypointImagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly waypointImagePullSecrets?: readonly string[];
  readonly waypointControlPlane?: string;
  readonly waypointNamespaces?: readonly string[];
  readonly waypointClasses?: readonly string[];
};

const classes = ['clearmesh-waypoint', 'istio-waypoint'];

export function addWaypointFlags(command: Command): Command {
  return command
    .option(
      '--waypoint-image <image>',
      'with --kubernetes: deploy a waypoint of this image for every Gateway of its class; without it, none is',
      parseImage,
    )
    .addOption(
      new Option('--waypoint-image-pull-policy <policy>', 'with --waypoint-image; IfNotPresent unless given').choices([
        'Always',
        'IfNotPresent',
        'Never',
      ]),
    )
    .option(
      '--waypoint-image-pull-secrets <list>',
      'with --waypoint-image: Secrets of the namespaces of Gateways, separated by commas',
      parseNames,
    )
    .option(
      '--waypoint-control-plane <url>',
      'with --waypoint-image: where waypoints find discovery and certificates; the Service of this control plane unless given',
      parseUrl,
    )
    .option(
      '--waypoint-namespaces <list>',
      'with --waypoint-image: where they may be deployed, separated by commas; everywhere unless given',
      parseNames,
    )
    .option(
      '--waypoint-classes <list>',
      `with --waypoint-image: classes of Gateways, separated by commas; ${classes.join(',')} unless given`,
      parseClasses,
    );
}

/** The setting; `undefined` where no waypoint is deployed; or a flag that has no effect. */
export function waypointSetting(
  flags: WaypointFlags,
  around: { readonly rootNamespace: string; readonly log: { readonly level: LogLevel; readonly format: 'plain' | 'json' } },
): WaypointSetting | string | undefined {
  const { waypointImage: image } = flags;
  if (image === undefined) {
    const stray = strayWaypointFlag(flags);
    return stray === undefined ? undefined : `${stray} has no effect without --waypoint-image`;
  }
  return {
    image,
    imagePullPolicy: flags.waypointImagePullPolicy ?? 'IfNotPresent',
    imagePullSecrets: flags.waypointImagePullSecrets ?? [],
    controlPlane: flags.waypointControlPlane ?? `https://clearmesh-control-plane.${around.rootNamespace}.svc:15012`,
    log: around.log,
    classes: flags.waypointClasses ?? classes,
    namespaces: flags.waypointNamespaces ?? [],
  };
}

/** The first that is given, as it is written. */
export function strayWaypointFlag(flags: WaypointFlags): string | undefined {
  const given = Object.entries({
    '--waypoint-image': flags.waypointImage,
    '--waypoint-image-pull-policy': flags.waypointImagePullPolicy,
    '--waypoint-image-pull-secrets': flags.waypointImagePullSecrets,
    '--waypoint-control-plane': flags.waypointControlPlane,
    '--waypoint-namespaces': flags.waypointNamespaces,
    '--waypoint-classes': flags.waypointClasses,
  });
  return given.find(([, value]) => value !== undefined)?.[0];
}

function parseImage(text: string): string {
  if (/^[a-z0-9][-a-z0-9._/:]*(?:[:@][A-Za-z0-9][A-Za-z0-9._:-]*)?$/.test(text)) return text;
  throw new InvalidArgumentError('Write an image, such as clearmesh/waypoint:0.1.0.');
}

function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))) return names;
  throw new InvalidArgumentError('Write names, separated by commas.');
}

function parseClasses(text: string): readonly string[] {
  const names = parseNames(text);
  const unknown = names.find((name) => !classes.includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`${unknown} is no class of waypoints; there are ${classes.join(' and ')}.`);
}

/** The waypoint takes no other form. */
function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === 'https:' && url.port !== '' && url.pathname === '/') return text;
  throw new InvalidArgumentError('Write https://HOST:PORT.');
}
