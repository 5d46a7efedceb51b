import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import type { PolicyFacts, Verdict } from '@clearmesh/shared/policy/evaluate';
import { authorization, identity, ip, match, socketAddress } from '@clearmesh/shared/testing/builders';
import { authorization as anyPolicy, facts as anyFacts } from '../arbitraries.ts';
import { referenceDecision, referenceRules } from './reference-matcher.ts';

const facts: PolicyFacts = {
  sourceIp: ip('10.0.0.1'),
  identity: identity('pay', 'teller'),
  destination: socketAddress('10.0.0.2:8080'),
};

const hits = { clauses: [{ matches: [match({ destinationPorts: [8080] })] }] };
const misses = { clauses: [{ matches: [match({ destinationPorts: [1] })] }] };

function policy(name: string, action: 'ALLOW' | 'DENY', rules: Authorization['rules'], dryRun = false): Authorization {
  return authorization({ name, action, rules, dryRun });
}

const allowHit = policy('allow-hit', 'ALLOW', [misses, hits]);
const allowMiss = policy('allow-miss', 'ALLOW', [misses]);
const denyHit = policy('deny-hit', 'DENY', [misses, misses, hits]);
const denyMiss = policy('deny-miss', 'DENY', [misses]);
const dryDenyHit = policy('dry-deny-hit', 'DENY', [hits], true);
const dryDenyMiss = policy('dry-deny-miss', 'DENY', [misses], true);
const dryAllowHit = policy('dry-allow-hit', 'ALLOW', [hits], true);
const dryAllowMiss = policy('dry-allow-miss', 'ALLOW', [misses], true);

const wouldDeny = { outcome: 'would-deny', policy: dryDenyHit.key, rule: 0 } as const;
const wouldAllow = { outcome: 'would-allow', policy: dryAllowHit.key, rule: 0 } as const;
const noAllow = { outcome: 'no-allow-would-match' } as const;
const explicit = { kind: 'deny', reason: 'explicit-deny', policy: denyHit.key, rule: 2 } as const;
const unmatched = { kind: 'deny', reason: 'no-allow-matched' } as const;

describe('the order of a verdict (section 9, rules 1 to 6)', () => {
  const cases: readonly (readonly [title: string, policies: readonly Authorization[], verdict: Verdict])[] = [
    ['no policy allows', [], { kind: 'allow', dryRun: [] }],
    ['a DENY that misses allows', [denyMiss], { kind: 'allow', dryRun: [] }],
    ['a DENY that matches denies, naming policy and rule', [denyHit], { ...explicit, dryRun: [] }],
    [
      'an ALLOW that matches allows, naming policy and rule',
      [allowHit],
      { kind: 'allow', allowedBy: allowHit.key, rule: 1, dryRun: [] },
    ],
    ['an ALLOW that misses denies', [allowMiss], { ...unmatched, dryRun: [] }],
    ['one ALLOW of several is enough', [allowMiss, allowHit], { kind: 'allow', allowedBy: allowHit.key, rule: 1, dryRun: [] }],
    ['DENY wins over ALLOW, whatever the order', [allowHit, denyHit], { ...explicit, dryRun: [] }],
    ['DENY wins over ALLOW when it comes first, too', [denyHit, allowHit], { ...explicit, dryRun: [] }],
    ['a DENY that misses leaves the decision to ALLOW', [denyMiss, allowMiss], { ...unmatched, dryRun: [] }],
    ['a dry-run DENY that matches is noted, not enforced', [dryDenyHit], { kind: 'allow', dryRun: [wouldDeny] }],
    ['a dry-run DENY that misses is not noted', [dryDenyMiss], { kind: 'allow', dryRun: [] }],
    ['a dry-run ALLOW that matches is noted', [dryAllowHit], { kind: 'allow', dryRun: [wouldAllow] }],
    ['only dry-run ALLOWs, none of which matches, are noted as such', [dryAllowMiss], { kind: 'allow', dryRun: [noAllow] }],
    ['a dry-run ALLOW does not count as an ALLOW that exists', [dryAllowMiss, denyMiss], { kind: 'allow', dryRun: [noAllow] }],
    ['a dry-run ALLOW that misses is silent beside an enforced one', [dryAllowMiss, allowMiss], { ...unmatched, dryRun: [] }],
    ['a dry-run ALLOW that matches does not allow', [dryAllowHit, allowMiss], { ...unmatched, dryRun: [wouldAllow] }],
    ['dry-run notes stand beside an explicit deny', [denyHit, dryDenyHit], { ...explicit, dryRun: [wouldDeny] }],
    [
      'all dry-run notes stand beside an allow',
      [dryDenyHit, dryAllowHit, allowHit],
      { kind: 'allow', allowedBy: allowHit.key, rule: 1, dryRun: [wouldDeny, wouldAllow] },
    ],
  ];
  for (const [title, policies, verdict] of cases) {
    it(title, () => expect(evaluate(policies, facts)).to.deep.equal(verdict));
  }

  it('allocates nothing where no policy applies or none allows', () => {
    expect(evaluate([], facts)).to.equal(evaluate([denyMiss], facts));
    expect(evaluate([allowMiss], facts)).to.equal(evaluate([allowMiss, denyMiss], facts));
  });
});

describe('a verdict on generated policies', () => {
  it('is that of the reference', () => {
    fc.assert(
      fc.property(fc.array(anyPolicy, { maxLength: 4 }), anyFacts, (policies, given) => {
        const verdict = evaluate(policies, given);
        return (verdict.kind === 'allow' ? 'allow' : verdict.reason) === referenceDecision(policies, given);
      }),
      { numRuns: 3000 },
    );
  });

  it('names the first rule that matches', () => {
    fc.assert(
      fc.property(fc.array(anyPolicy, { maxLength: 4 }), anyFacts, (policies, given) => {
        const verdict = evaluate(policies, given);
        const key = verdict.kind === 'allow' ? verdict.allowedBy : verdict.policy;
        if (key === undefined) return;
        const named = policies.filter((candidate) => candidate.key === key && !candidate.dryRun);
        expect(named.map((candidate) => referenceRules(candidate, given)[0])).to.include(verdict.rule);
      }),
      { numRuns: 1000 },
    );
  });

  it('does not change when dry-run policies are left out', () => {
    fc.assert(
      fc.property(fc.array(anyPolicy, { maxLength: 4 }), anyFacts, (policies, given) => {
        const enforced = policies.filter((candidate) => !candidate.dryRun);
        expect({ ...evaluate(policies, given), dryRun: [] }).to.deep.equal(evaluate(enforced, given));
      }),
    );
  });
});
