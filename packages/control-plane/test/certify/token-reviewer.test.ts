import { expect } from 'chai';
import { anything, assert, property } from 'fast-check';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TokenReviewer } from '../../src/certify/token-reviewer.ts';
import { reviewedCaller } from '../../src/certify/reviewed-caller.ts';
import { TokenIssuer } from '../fixtures/token-issuer.ts';
import type { ApiCall } from '../../src/kubernetes/api-client.ts';
import type { ApiAnswer } from '../../src/kubernetes/api-answer.ts';
import type { TokenReviewerOptions } from '../../src/certify/token-reviewer.ts';

const good = {
  authenticated: true,
  audiences: ['istio-ca'],
  user: {
    username: 'system:serviceaccount:clearmesh-system:ztunnel',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:clearmesh-system'],
    extra: {
      'authentication.kubernetes.io/pod-name': ['ztunnel-a'],
      'authentication.kubernetes.io/pod-uid': ['uid-a'],
      'authentication.kubernetes.io/node-name': ['node-a'],
    },
  },
};

/** A reviewer, what it asked, and what the API server answers next. */
class Reviewing {
  readonly clock = new FakeClock(Date.now());
  readonly calls: ApiCall[] = [];
  answer: ApiAnswer = { kind: 'ok', body: { status: good } };
  readonly reviewer: TokenReviewer;

  constructor(options: TokenReviewerOptions = {}) {
    const call = <T>(asked: ApiCall): Promise<ApiAnswer<T>> => {
      this.calls.push(asked);
      return Promise.resolve(this.answer as ApiAnswer<T>);
    };
    this.reviewer = new TokenReviewer(options, { api: { call }, clock: this.clock });
  }

  async kind(token: string): Promise<string> {
    return (await this.reviewer.authenticate(`Bearer ${token}`)).kind;
  }
}

const issuer = await TokenIssuer.create();

describe('TokenReviewer', () => {
  it('names the caller with its pod and node, and asks for the audience', async () => {
    const reviewing = new Reviewing();
    const token = await issuer.token({ expiresInS: 600 });
    const answer = await reviewing.reviewer.authenticate(`Bearer ${token}`);
    expect(answer).to.deep.include({
      kind: 'caller',
      caller: {
        namespace: 'clearmesh-system',
        serviceAccount: 'ztunnel',
        pod: { name: 'ztunnel-a', uid: 'uid-a' },
        node: 'node-a',
      },
    });
    expect(reviewing.calls.map(({ method, path, body }) => ({ method, path, body }))).to.deep.equal([
      {
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token, audiences: ['istio-ca'] },
        },
      },
    ]);
  });

  it('asks once for callers with one token, and again after half a minute', async () => {
    const reviewing = new Reviewing();
    const token = await issuer.token();
    await Promise.all(Array.from({ length: 5 }, () => reviewing.kind(token)));
    reviewing.clock.advance(29_999);
    await reviewing.kind(token);
    expect(reviewing.calls).to.have.length(1);
    reviewing.answer = { kind: 'ok', body: { status: { authenticated: false, error: 'the pod is gone' } } };
    reviewing.clock.advance(1);
    expect(await reviewing.kind(token)).to.equal('refused');
    expect(reviewing.calls).to.have.length(2);
  });

  it('believes no token beyond its end, whatever the API server says', async () => {
    const reviewing = new Reviewing();
    const token = await issuer.token({ expiresInS: 10 });
    expect(await reviewing.kind(token)).to.equal('caller');
    reviewing.clock.advance(10_000);
    expect(await reviewing.kind(token)).to.equal('refused');
    expect(await reviewing.kind(await issuer.token({ claims: { exp: undefined } }))).to.equal('refused');
  });

  it('keeps a refusal for a moment, and an unanswered question not at all', async () => {
    const reviewing = new Reviewing();
    const token = await issuer.token();
    reviewing.answer = { kind: 'unreachable', message: 'connect ECONNREFUSED' };
    expect(await reviewing.kind(token)).to.equal('refused');
    reviewing.answer = { kind: 'ok', body: { status: { authenticated: false } } };
    expect(await reviewing.kind(token)).to.equal('refused');
    reviewing.answer = { kind: 'ok', body: { status: good } };
    expect(await reviewing.kind(token)).to.equal('refused');
    expect(reviewing.calls).to.have.length(2);
    reviewing.clock.advance(3000);
    expect(await reviewing.kind(token)).to.equal('caller');
  });

  it('keeps no more answers than it may', async () => {
    const reviewing = new Reviewing({ maxKept: 2 });
    const [a, b, c] = [await issuer.token({ node: 'a' }), await issuer.token({ node: 'b' }), await issuer.token({ node: 'c' })];
    for (const token of [a, b, c, b, c]) await reviewing.kind(token);
    expect(reviewing.calls).to.have.length(3);
    await reviewing.kind(a);
    expect(reviewing.calls).to.have.length(4);
  });

  it('asks nobody about what is no token', async () => {
    const reviewing = new Reviewing();
    for (const header of [null, '', 'Bearer', 'Bearer x', 'Basic a.b.c', `Bearer ${'a'.repeat(20_000)}.b.c`])
      expect((await reviewing.reviewer.authenticate(header)).kind, String(header)).to.equal('refused');
    expect(reviewing.calls).to.deep.equal([]);
  });

  it('says nothing of the token when it refuses', async () => {
    const reviewing = new Reviewing();
    reviewing.answer = { kind: 'refused', status: 403, reason: 'Forbidden', message: 'may not create tokenreviews' };
    const token = await issuer.token();
    const answer = await reviewing.reviewer.authenticate(`Bearer ${token}`);
    expect(answer).to.deep.equal({
      kind: 'refused',
      reason: 'the token could not be reviewed: 403 may not create tokenreviews',
    });
  });
});

describe('reviewedCaller', () => {
  const refused: readonly [string, unknown, RegExp][] = [
    ['that is not authenticated', { ...good, authenticated: false, error: 'expired' }, /not valid: expired/],
    ['without a verdict', { ...good, authenticated: undefined }, /not valid/],
    ['for another audience', { ...good, audiences: ['api'] }, /audience istio-ca/],
    ['without audiences', { ...good, audiences: undefined }, /audience istio-ca/],
    ['of no service account', { ...good, user: { ...good.user, groups: [] } }, /not of a service account/],
    ['of an administrator', { ...good, user: { ...good.user, username: 'admin' } }, /no service account/],
    [
      'whose name would leave the path',
      { ...good, user: { ...good.user, username: 'system:serviceaccount:a/../b:c' } },
      /no service account/,
    ],
    [
      'whose account has a part too many',
      { ...good, user: { ...good.user, username: 'system:serviceaccount:a:b:c' } },
      /no service account/,
    ],
  ];
  for (const [title, status, reason] of refused) {
    it(`refuses a user ${title}`, () => {
      const answer = reviewedCaller({ status }, 'istio-ca');
      expect(answer.kind === 'refused' ? answer.reason : '').to.match(reason);
    });
  }

  it('refuses whatever is no TokenReview, without throwing', () => {
    assert(property(anything(), (value) => reviewedCaller(value, 'istio-ca').kind === 'refused'));
    assert(property(anything(), (status) => reviewedCaller({ status }, 'istio-ca').kind === 'refused'));
  });
});
