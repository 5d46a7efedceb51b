import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity } from '@clearmesh/shared/testing/builders';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { podsView } from '../src/pod-status.ts';
import { servedPod } from './served-pod.ts';

const info = { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' };
const authority = await TestAuthority.create();
const { certPem } = await authority.issue({ uris: [identity('bank', 'client-sa')] });
const certificate = { identity: identity('bank', 'client-sa'), state: 'Available', chain: [certPem], roots: [] };
const up = { uid: 'a', info, inode: 4_026_532_001n, state: 'Up' as const };
const named = { uid: 'a', namespace: 'bank', name: 'client', serviceAccount: 'client-sa', networkNamespace: '4026532001' };

describe('the status of a pod', () => {
  it('names its namespace, listeners, certificate, what is open, and what failed last', () => {
    const failure = { direction: 'outbound' as const, error: 'no healthy upstream', atMs: Date.UTC(2026, 10, 25) };
    const workloadOf = (): string => 'Kubernetes//Pod/bank/client';
    const pod = servedPod({ failure });
    const view = podsView([{ ...up, pod }], { certificates: [certificate], workloadOf }) as readonly Record<string, unknown>[];
    expect(view).to.have.length(1);
    expect(view[0])
      .to.have.nested.property('certificate.expires')
      .that.match(/^20\d\d-\d\d-\d\dT/);
    expect(view[0]).to.deep.include({
      ...named,
      state: 'Up',
      workload: 'Kubernetes//Pod/bank/client',
      listeners: [15_001, 15_006, 15_008],
      dns: true,
      connections: { inbound: 0, outbound: 0 },
      bufferedBytes: 300,
      tunnels: { inbound: { tunnels: 1, streams: 4 }, outbound: { tunnels: 2, streams: 3 } },
      failures: 7,
      lastFailure: { time: '2026-11-25T00:00:00.000Z', direction: 'outbound', error: 'no healthy upstream' },
    });
  });

  it('says that the control plane does not know a pod, and that it has no certificate', () => {
    const facts = { certificates: [], workloadOf: () => undefined };
    const [view] = podsView([{ ...up, pod: servedPod() }], facts) as readonly unknown[];
    expect(view).to.include({ workload: null, certificate: null, failures: 0, lastFailure: null });
  });

  it('shows of a certificate that cannot be had why not', () => {
    const missing = { ...certificate, state: 'Unavailable: the authority refused', chain: [] };
    const facts = { certificates: [missing], workloadOf: () => undefined };
    expect(podsView([{ ...up, pod: servedPod() }], facts)).to.have.deep.nested.property('[0].certificate', {
      identity: identity('bank', 'client-sa'),
      state: 'Unavailable: the authority refused',
      expires: null,
    });
  });

  it('shows of a pod that cannot be captured why, and no listener', () => {
    const facts = { certificates: [], workloadOf: () => undefined };
    const pending = { ...up, state: 'Pending' as const, lastError: 'port 15006 is taken' };
    expect(podsView([pending], facts)).to.deep.equal([
      {
        ...named,
        state: 'Pending',
        workload: null,
        certificate: null,
        listeners: [],
        dns: false,
        lastFailure: { error: 'port 15006 is taken' },
      },
    ]);
  });
});
