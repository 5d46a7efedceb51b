/** Slices beyond what recorded scenarios show (test/golden). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { collect } from '../../src/manifest/collections.ts';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { pod, service } from '../fixtures/objects.ts';
import type { EndpointSliceManifest } from '../../src/manifest/endpoint-slice.ts';
import type { Manifest } from '../../src/manifest/collections.ts';

function slice(name: string, parts: Partial<EndpointSliceManifest>): Manifest {
  const metadata = { name, namespace: 'bank', labels: { 'kubernetes.io/service-name': 's' } };
  return { kind: 'EndpointSlice', value: { metadata, addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }], ...parts } };
}

/** `uid → ports` of each workload behind the service. */
function behind(...manifests: readonly Manifest[]): readonly string[] {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  const { workloads } = derive(collect([service('s', { ports }), ...manifests]), defaultDeriveOptions, 0);
  return workloads.flatMap(({ uid, services }) =>
    [...services.values()].map((mappings) => `${uid} → ${mappings.map(({ targetPort }) => targetPort).join()}`),
  );
}

describe('an EndpointSlice', () => {
  const named = (uid: string): Manifest =>
    slice('s-1', { endpoints: [{ addresses: ['10.244.1.2'], targetRef: { kind: 'Pod', name: 'a', uid } }] });

  it('puts the pod that it names behind the service, once', () => {
    expect(behind(pod('a', { uid: 'u1' }), named('u1'), { ...named('u1') })).to.deep.equal(['Kubernetes//Pod/bank/a → 8080']);
  });

  it('does not mean a pod of the same name that came later', () => {
    expect(behind(pod('a', { uid: 'u2' }), named('u1'))).to.deep.equal([]);
  });

  it('says alone where its endpoints listen', () => {
    const endpoints = [{ addresses: ['172.16.0.1'] }];
    const uid = 'Kubernetes/discovery.k8s.io/EndpointSlice/bank/s-1/172.16.0.1';
    expect(behind(slice('s-1', { endpoints, ports: [{ name: 'http', port: 9090 }] }))).to.deep.equal([`${uid} → 9090`]);
    expect(behind(slice('s-1', { endpoints, ports: [{ name: 'other', port: 9090 }] }))).to.deep.equal([`${uid} → `]);
    expect(behind(slice('s-1', { endpoints, ports: null }))).to.deep.equal([`${uid} → `]);
  });

  it('without endpoints, or of names, is nobody', () => {
    expect(behind(slice('s-1', { endpoints: null }))).to.deep.equal([]);
    expect(behind(slice('s-1', { endpoints: [{ addresses: [] }, {}] }))).to.deep.equal([]);
    expect(behind(slice('s-1', { addressType: 'FQDN', endpoints: [{ addresses: ['mf.bank.example'] }] }))).to.deep.equal([]);
  });
});
