import { expect } from 'chai';
import { describe, it } from 'mocha';
import { checkContradictions } from '../../src/watch/check-contradictions.ts';
import { pod, policy, service } from '../fixtures/objects.ts';
import type { Manifest } from '../../src/manifest/collections.ts';
import type { PodManifest } from '../../src/manifest/pod.ts';

function found(...manifests: readonly Manifest[]): readonly string[] {
  return checkContradictions(manifests.map((manifest) => ({ manifest }))).map(
    ({ finding }) => `${finding.path.join('.')} ${String(finding.value)} ${finding.message}`,
  );
}

function with_(manifest: Manifest & { readonly value: PodManifest }, spec: PodManifest['spec']): Manifest {
  return { kind: 'Pod', value: { ...manifest.value, spec: { ...manifest.value.spec, ...spec } } };
}

describe('checkContradictions', () => {
  const table: readonly [string, readonly Manifest[], readonly string[]][] = [
    [
      'two pods of one name',
      [pod('a'), pod('a', { ip: '10.244.1.9' })],
      ['metadata.name bank/a is already taken by another Pod bank/a'],
    ],
    ['two pods on one address', [pod('a'), pod('b')], ['status.podIPs 10.244.1.2 is also the address of Pod bank/a']],
    [
      'two pods on one IPv6 address, written differently',
      [pod('a', { ip: 'fd00::1' }), pod('b', { ip: 'fd00:0:0:0::1' })],
      ['status.podIPs fd00:0:0:0::1 is also the address of Pod bank/a'],
    ],
    [
      'two services on one address',
      [service('a', { clusterIP: '10.96.0.1' }), service('b', { clusterIP: '10.96.0.1' })],
      ['spec.clusterIP 10.96.0.1 is also the address of Service bank/a'],
    ],
    [
      'two policies of one name',
      [policy({}), policy({ action: 'DENY' })],
      ['metadata.name bank/p is already taken by another AuthorizationPolicy bank/p'],
    ],
    ['a pod and a service of one name', [pod('a'), service('a')], []],
    ['headless services', [service('a', { clusterIP: 'None' }), service('b', { clusterIP: 'None' }), service('c')], []],
    ['pods that have ended', [pod('a', { phase: 'Succeeded' }), pod('b', { phase: 'Failed' }), pod('c')], []],
    ['pods on the host network', [with_(pod('a'), { hostNetwork: true }), with_(pod('b'), { hostNetwork: true })], []],
    ['pods without an address', [pod('a', { ip: '' }), pod('b', { ip: '' })], []],
  ];
  for (const [title, manifests, expected] of table) {
    it(`${expected.length === 0 ? 'accepts' : 'refuses'} ${title}`, () => {
      expect(found(...manifests)).to.deep.equal(expected);
    });
  }
});
