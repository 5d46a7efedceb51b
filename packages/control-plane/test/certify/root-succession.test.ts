import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { createRoot, readRoot } from '@clearmesh/shared/certify/root-authority';
import { decideSuccession, settleMs } from '../../src/certify/root-succession.ts';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

const nowMs = 1_000_000;
const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

describe('decideSuccession', () => {
  let old: RootAuthority;
  let next: RootAuthority;
  /** The signer of one with the roots of several. */
  const trusting = (signer: RootAuthority, ...roots: readonly RootAuthority[]): RootAuthority => {
    return { ...signer, rootPem: roots.map(({ rootPem }) => rootPem).join('') };
  };
  /** Outcome, and of an adoption whose key signs then. */
  const outcome = (
    inForce: RootAuthority,
    offered: RootAuthority,
    givenOutMs: ReadonlyMap<string, number> = new Map(),
  ): string => {
    const step = decideSuccession({ inForce, offered, givenOutMs, nowMs });
    if (step.kind === 'wait') return `wait ${step.forMs}`;
    if (step.kind !== 'adopt') return step.kind;
    const signer = step.authority.signingKey === old.signingKey ? 'old' : 'next';
    expect(step.authority.rootPem).to.equal(offered.rootPem);
    return `${signer} signs, +${step.added.length} -${step.dropped.length}`;
  };

  before(async () => {
    const [first, second] = await Promise.all([1, 2].map(() => createRoot({ trustDomain: 'cluster.local', nowMs: Date.now() })));
    old = readRoot(first ?? '', Date.now());
    next = readRoot(second ?? '', Date.now());
  });

  it('takes a new root beside the old one at once', () => {
    expect(outcome(old, trusting(old, old, next))).to.equal('old signs, +1 -0');
  });

  it('gives a new root out before it signs below it, when both come together', () => {
    expect(outcome(old, trusting(next, next, old))).to.equal('old signs, +1 -0');
  });

  it('waits with a new signer until its root was given out for five minutes', () => {
    const both = trusting(old, old, next);
    const youngMs = nowMs - settleMs + 1;
    const oldEnoughMs = nowMs - settleMs;
    const given = (sinceMs: number): ReadonlyMap<string, number> => new Map([[fingerprint(next.rootPem), sinceMs]]);
    expect(outcome(both, trusting(next, next, old), given(youngMs))).to.equal('wait 1');
    expect(outcome(both, trusting(next, next, old), given(oldEnoughMs))).to.equal('next signs, +0 -0');
  });

  it('signs at once below a root that was trusted since the start', () => {
    expect(outcome(trusting(old, old, next), trusting(next, old, next))).to.equal('next signs, +0 -0');
  });

  it('refuses to let go of the root of certificates in use', () => {
    expect(outcome(old, next)).to.equal('refuse');
    expect(outcome(trusting(old, old, next), next)).to.equal('refuse');
    expect(outcome(trusting(old, old, next), trusting(old, next))).to.equal('refuse');
  });

  it('lets a root go that the signer does not stand on', () => {
    expect(outcome(trusting(next, old, next), next)).to.equal('next signs, +0 -1');
  });

  it('sees no change in another order or another text of the same certificates', () => {
    expect(outcome(trusting(old, old, next), trusting(old, next, old))).to.equal('same');
    expect(outcome(old, { ...old, rootPem: `# the root\n${old.rootPem}\n` })).to.equal('same');
  });
});
