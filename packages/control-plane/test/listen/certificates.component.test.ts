import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Code, ConnectError } from '@connectrpc/connect';
import { spiffeIdsOf } from '@clearmesh/shared/identity/certificate';
import { RunningControlPlane } from '../fixtures/running-control-plane.ts';
import { signingRequest } from '../fixtures/signing-requests.ts';
import type { TokenSpec } from '../fixtures/token-issuer.ts';

const manifests = {
  'manifests/bank.yaml': `apiVersion: v1
kind: Pod
metadata: { name: ledger-0, namespace: bank }
spec: { serviceAccountName: ledger }
---
apiVersion: v1
kind: Pod
metadata: { name: teller-0, namespace: bank }
spec: { serviceAccountName: teller }
`,
  'status.yaml': `pods:
  bank/ledger-0: { podIPs: [10.244.1.1], nodeName: node-a, ready: true }
  bank/teller-0: { podIPs: [10.244.2.1], nodeName: node-b, ready: true }
`,
};
const ledger = 'spiffe://cluster.local/ns/bank/sa/ledger';
const teller = 'spiffe://cluster.local/ns/bank/sa/teller';

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(ConnectError);
  return error as ConnectError;
}

describe('the certificate service', () => {
  it('certifies a pod for the proxy of its node: leaf, then root', async () => {
    await using running = await RunningControlPlane.start(manifests);
    const csr = await signingRequest();
    const [leaf = '', root = '', ...more] = await running.certify({
      csr,
      validityDuration: 3600n,
      metadata: { ImpersonatedIdentity: ledger },
    });
    expect(more).to.deep.equal([]);
    expect(root).to.equal(running.rootPem);
    const certificate = new X509Certificate(leaf);
    expect(spiffeIdsOf(certificate.raw)).to.deep.equal([ledger]);
    expect(certificate.verify(new X509Certificate(root).publicKey)).to.equal(true);
    expect(await running.metrics()).to.contain('clearmesh_certificates_issued_total 1\n');
  });

  it('certifies the caller itself', async () => {
    await using running = await RunningControlPlane.start();
    const [leaf = ''] = await running.certify({ csr: await signingRequest() }, { namespace: 'bank', serviceAccount: 'vm' });
    expect(spiffeIdsOf(new X509Certificate(leaf).raw)).to.deep.equal(['spiffe://cluster.local/ns/bank/sa/vm']);
  });

  const refused: readonly [string, string, TokenSpec][] = [
    ['a pod of another node', teller, {}],
    ['an account nobody runs under', 'spiffe://cluster.local/ns/bank/sa/root', {}],
    ['another trust domain', 'spiffe://evil.example/ns/bank/sa/ledger', {}],
    ['a caller that is no node proxy', ledger, { serviceAccount: 'default' }],
    ['a token bound to no pod', ledger, { pod: null }],
    ['a token without node', ledger, { node: null }],
    ['an expired token', ledger, { expiresInS: -60 }],
  ];
  for (const [title, identity, spec] of refused) {
    it(`refuses ${title}, and says no more than that`, async () => {
      await using running = await RunningControlPlane.start(manifests);
      const request = { csr: await signingRequest(), metadata: { ImpersonatedIdentity: identity } };
      const { code, rawMessage } = await failure(running.certify(request, spec));
      expect([code, rawMessage]).to.deep.equal([Code.Unauthenticated, 'unauthenticated']);
    });
  }

  it('follows pods that move', async () => {
    await using running = await RunningControlPlane.start(manifests);
    const request = { csr: await signingRequest(), metadata: { ImpersonatedIdentity: teller } };
    expect((await failure(running.certify(request))).code).to.equal(Code.Unauthenticated);
    await running.replace('status.yaml', manifests['status.yaml'].replace('node-b', 'node-a'));
    const late = AbortSignal.timeout(5000);
    let chain: readonly string[] | undefined;
    while (chain === undefined) {
      late.throwIfAborted();
      chain = await running.certify(request).catch(() => undefined);
    }
    expect(chain).to.have.length(2);
  });

  const invalid: readonly [string, object, RegExp][] = [
    ['a lifetime beyond 90 days', { validityDuration: 7_776_001n }, /7776000 seconds/],
    ['a negative lifetime', { validityDuration: -1n }, /seconds/],
    ['a spoilt signing request', { csr: 'x' }, /PEM/],
    ['an identity that is no text', { metadata: { ImpersonatedIdentity: 7 } }, /text/],
  ];
  for (const [title, part, message] of invalid) {
    it(`explains what is wrong with ${title}`, async () => {
      await using running = await RunningControlPlane.start(manifests);
      const error = await failure(running.certify({ csr: await signingRequest(), ...part }));
      expect(error.code).to.equal(Code.InvalidArgument);
      expect(error.rawMessage).to.match(message);
    });
  }

  it('is not available before a good configuration', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': 'kind: [' });
    expect((await failure(running.certify({ csr: await signingRequest() }))).code).to.equal(Code.Unavailable);
  });

  it('writes neither tokens nor keys to its log', async () => {
    await using running = await RunningControlPlane.start(manifests);
    const token = await running.issuer.token();
    await running.certify({ csr: await signingRequest(), metadata: { ImpersonatedIdentity: ledger } });
    await running.certify({ csr: 'x' }, { audience: 'x' }).catch(() => {});
    const log = running.log.join('');
    expect(log).to.match(/certificate issued/);
    expect(log).to.match(/call refused/);
    expect(log).not.to.match(/PRIVATE|BEGIN|eyJ/);
    expect(log).not.to.contain(token.split('.')[2]);
  });
});
