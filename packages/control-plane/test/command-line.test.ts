import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseCommandLine } from '../src/command-line.ts';
import type { ServeCommand } from '../src/command-line.ts';

const needed = ['serve', '--directory', 'd', '--state', 's', '--listen', '127.0.0.1:15012', '--token-keys', 'k'];

function command(...args: readonly string[]): ServeCommand {
  const line = parseCommandLine([...needed, ...args], () => {});
  if (line.kind !== 'serve') throw new Error(line.kind === 'wrong' ? line.error.message : 'told');
  return line.command;
}

describe('parseCommandLine', () => {
  it('needs four flags and has defaults for the rest', () => {
    expect(command()).to.deep.equal({
      options: {
        setting: { kind: 'directory', directory: 'd', stateDirectory: 's', tokenKeys: 'k' },
        listen: { ip: '127.0.0.1', port: 15_012 },
        clusterId: 'Kubernetes',
        trustDomain: 'cluster.local',
        rootNamespace: 'clearmesh-system',
        defaultMtls: 'STRICT',
        requirePermissiveExpiry: true,
        trustedNodeAccounts: ['clearmesh-system/ztunnel'],
      },
      log: { format: 'plain', level: 'info' },
    });
  });

  it('reads every flag', () => {
    const { options, log } = command(
      '--status',
      'f',
      '--status-out',
      'o',
      '--cluster-id',
      'c1',
      '--trust-domain',
      'bank.example',
      '--root-namespace',
      'mesh',
      '--default-mtls',
      'PERMISSIVE',
      '--permissive-expiry',
      'optional',
      '--trusted-node-accounts',
      'a/b,c/d',
      '--admin',
      '[::1]:9000',
      '--log-format',
      'json',
      '--log-level',
      'debug',
    );
    expect(options).to.deep.include({
      setting: {
        kind: 'directory',
        directory: 'd',
        stateDirectory: 's',
        tokenKeys: 'k',
        statusFile: 'f',
        statusOut: 'o',
      },
      clusterId: 'c1',
      trustDomain: 'bank.example',
      rootNamespace: 'mesh',
      defaultMtls: 'PERMISSIVE',
      requirePermissiveExpiry: false,
      trustedNodeAccounts: ['a/b', 'c/d'],
      admin: { ip: '::1', port: 9000 },
    });
    expect(log).to.deep.equal({ format: 'json', level: 'debug' });
  });

  it('serves a cluster', () => {
    const line = parseCommandLine(
      [
        'serve',
        '--kubernetes',
        '--kubeconfig',
        'f',
        '--pod-name',
        'cp-0',
        '--listen',
        '0.0.0.0:15012',
        '--webhook',
        '[::]:15017',
      ],
      () => {},
    );
    const setting = line.kind === 'serve' ? line.command.options.setting : undefined;
    expect(setting).to.deep.equal({ kind: 'kubernetes', kubeconfig: 'f', podName: 'cp-0', webhook: { ip: '::', port: 15_017 } });
  });

  it('says what waypoints are made with', () => {
    const cluster = ['serve', '--kubernetes', '--listen', '0.0.0.0:15012', '--root-namespace', 'mesh', '--log-format', 'json'];
    const settingOf = (...args: readonly string[]): unknown => {
      const line = parseCommandLine([...cluster, ...args], () => {});
      return line.kind === 'serve' ? line.command.options.setting : line;
    };
    const waypoints = {
      image: 'registry.bank.example:5000/mesh/waypoint:1.2',
      imagePullPolicy: 'IfNotPresent',
      imagePullSecrets: [],
      controlPlane: 'https://clearmesh-control-plane.mesh.svc:15012',
      log: { level: 'info', format: 'json' },
      classes: ['clearmesh-waypoint', 'istio-waypoint'],
      namespaces: [],
    };
    const image = ['--waypoint-image', waypoints.image];
    expect(settingOf()).to.deep.equal({ kind: 'kubernetes' });
    expect(settingOf(...image)).to.deep.equal({ kind: 'kubernetes', waypoints });
    expect(
      settingOf(
        ...image,
        '--waypoint-image-pull-policy=Never',
        '--waypoint-image-pull-secrets=registry,other',
        '--waypoint-control-plane=https://mesh.bank.example:15012',
        '--waypoint-namespaces=ledger,cards',
        '--waypoint-classes=clearmesh-waypoint',
      ),
    ).to.deep.equal({
      kind: 'kubernetes',
      waypoints: {
        ...waypoints,
        imagePullPolicy: 'Never',
        imagePullSecrets: ['registry', 'other'],
        controlPlane: 'https://mesh.bank.example:15012',
        namespaces: ['ledger', 'cards'],
        classes: ['clearmesh-waypoint'],
      },
    });
  });

  const cluster = ['serve', '--kubernetes', '--listen', '0.0.0.0:15012'];
  const wrong: readonly [string, readonly string[], RegExp][] = [
    ['no command', [], /no command given/],
    ['an unknown command', ['serv'], /serv/],
    ['a missing flag', ['serve', '--directory', 'd', '--listen', '127.0.0.1:1'], /--state/],
    ['no place to listen', ['serve', '--kubernetes'], /--listen/],
    ['neither cluster nor directory', ['serve', '--listen', '127.0.0.1:1'], /either --kubernetes or --directory/],
    ['a directory beside a cluster', [...needed, '--kubernetes'], /--directory has no effect with --kubernetes/],
    ['a kubeconfig without a cluster', [...needed, '--kubeconfig', 'f'], /--kubeconfig has no effect without --kubernetes/],
    ['a webhook without a cluster', [...needed, '--webhook', '[::]:1'], /--webhook has no effect without --kubernetes/],
    ['an unknown flag', [...needed, '--directry', 'x'], /--directry/],
    ['a flag without value', [...needed, '--admin'], /--admin/],
    ['an address without port', [...needed, '--admin', '127.0.0.1'], /--admin.*such as 127\.0\.0\.1:15012/],
    ['a name instead of an address', [...needed, '--admin', 'localhost:1'], /--admin.*such as/],
    ['a port beyond 65535', [...needed, '--admin', '127.0.0.1:65536'], /--admin/],
    ['an unknown mode', [...needed, '--default-mtls', 'DISABLE'], /STRICT, PERMISSIVE/],
    ['an account without namespace', [...needed, '--trusted-node-accounts', 'ztunnel'], /namespace\/account/],
    ['a trust domain with a slash', [...needed, '--trust-domain', 'a/b'], /--trust-domain/],
    [
      'namespaces of waypoints without an image',
      [...cluster, '--waypoint-namespaces', 'a'],
      /no effect without --waypoint-image/,
    ],
    ['waypoints without a cluster', [...needed, '--waypoint-image', 'a'], /--waypoint-image has no effect without --kubernetes/],
    ['an image with a blank', [...cluster, '--waypoint-image', 'a b'], /such as clearmesh\/waypoint/],
    ['a class of others', [...cluster, '--waypoint-image', 'a', '--waypoint-classes', 'istio'], /istio is no class of waypoints/],
    [
      'an address without scheme',
      [...cluster, '--waypoint-image', 'a', '--waypoint-control-plane', 'a:1'],
      /https:\/\/HOST:PORT/,
    ],
    ['a stray word', [...needed, 'x'], /./],
  ];
  for (const [title, args, message] of wrong) {
    it(`refuses ${title}`, () => {
      const line = parseCommandLine(args, () => {});
      expect(line.kind).to.equal('wrong');
      const error = line.kind === 'wrong' ? line.error : undefined;
      expect(error?.code).to.equal('MESH-CONFIG-003');
      expect(error?.message).to.match(message);
    });
  }

  it('explains every flag', () => {
    let text = '';
    expect(parseCommandLine(['serve', '--help'], (part) => void (text += part)).kind).to.equal('told');
    for (const flag of [
      '--directory',
      '--status',
      '--status-out',
      '--state',
      '--listen',
      '--token-keys',
      '--default-mtls',
      '--admin',
      '--log-format',
      '--waypoint-image',
      '--network',
    ]) {
      expect(text).to.contain(flag);
    }
  });
});
