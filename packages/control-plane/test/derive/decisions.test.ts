/** Where Clearmesh decides differently from upstream on purpose (design, "What we decide differently"). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { call, derived, only, verdict } from '../fixtures/derivation.ts';
import { denyRule, pod, policy } from '../fixtures/objects.ts';
import type { Manifest } from '../../src/manifest/collections.ts';
import type { PolicyFacts } from '@clearmesh/shared/policy/facts';
import type { RuleManifest, SourceManifest } from '../../src/manifest/authorization-policy.ts';

const branch = 'cluster.local/ns/branches/sa/teller';
const other = 'cluster.local/ns/other/sa/teller';

describe('a DENY rule with layer-7 fields', () => {
  const table: readonly [string, RuleManifest, readonly [PolicyFacts, string][]][] = [
    [
      'of layer 7 only denies everything',
      { to: [{ operation: { methods: ['DELETE'] } }] },
      [
        [call(branch), 'deny'],
        [call(undefined), 'deny'],
      ],
    ],
    [
      'beside a layer-4 clause denies what that clause matches',
      { from: [{ source: { namespaces: ['branches'] } }], to: [{ operation: { methods: ['DELETE'] } }] },
      [
        [call(branch), 'deny'],
        [call(other), 'allow'],
      ],
    ],
    [
      'in the same entry as a port denies the port',
      { to: [{ operation: { paths: ['/admin'], ports: ['9000'] } }] },
      [
        [call(branch, 9000), 'deny'],
        [call(branch, 8080), 'allow'],
      ],
    ],
    [
      'in one of two entries denies as if the other were not there',
      { to: [{ operation: { methods: ['DELETE'] } }, { operation: { ports: ['9000'] } }] },
      [
        [call(branch, 8080), 'deny'],
        [call(branch, 9000), 'deny'],
      ],
    ],
    [
      'in a condition denies what the rest matches',
      { from: [{ source: { namespaces: ['branches'] } }], when: [{ key: 'request.headers[x-desk]', values: ['a'] }] },
      [
        [call(branch), 'deny'],
        [call(other), 'allow'],
      ],
    ],
    [
      'in a source entry of its own denies every source',
      { from: [{ source: { requestPrincipals: ['*'] } }, { source: { principals: [other], trustDomains: ['cluster.local'] } }] },
      [
        [call(branch), 'deny'],
        [call(other), 'deny'],
      ],
    ],
  ];
  for (const [title, rule, calls] of table) {
    it(title, () => {
      const authorization = only(denyRule(rule));
      for (const [facts, expected] of calls) expect(verdict(authorization, facts), JSON.stringify(facts)).to.equal(expected);
    });
  }

  it('of trust domains that layer 4 sees in part only denies whatever their trust domain', () => {
    const authorization = only(denyRule({ from: [{ source: { trustDomains: ['cluster.local', '*.example'] } }] }));
    expect(verdict(authorization, call('partner.example/ns/a/sa/b'))).to.equal('deny');
  });

  it('never denies less than upstream does', () => {
    for (const [, rule] of table) {
      for (const facts of [call(branch), call(other), call(undefined), call(branch, 9000)]) {
        if (verdict(only(denyRule(rule), { l7Deny: 'upstream' }), facts) !== 'deny') continue;
        expect(verdict(only(denyRule(rule)), facts)).to.equal('deny');
      }
    }
  });

  it('is said out loud', () => {
    const { notes } = derived([denyRule({ to: [{ operation: { methods: ['DELETE'], paths: ['/x'] } }] })]);
    expect(notes).to.deep.equal([
      {
        object: 'AuthorizationPolicy bank/p',
        message: 'spec.rules[0]: the node proxy cannot see methods, paths; all that the rest of the rule matches is denied there',
      },
    ]);
  });
});

describe('an ALLOW rule with layer-7 fields', () => {
  it('allows nothing, and the policy stays', () => {
    const authorization = only(policy({ rules: [{ to: [{ operation: { methods: ['GET'], ports: ['8080'] } }] }] }));
    expect(authorization.rules).to.deep.equal([]);
    expect(verdict(authorization, call(branch))).to.equal('deny');
  });
});

describe('trust domains at layer 4', () => {
  const partner = 'partner.example/ns/branches/sa/teller';
  const lookalike = 'cluster.local.evil.example/ns/branches/sa/teller';
  const table: readonly [string, SourceManifest, Readonly<Record<string, string>>][] = [
    [
      'trustDomains alone',
      { trustDomains: ['cluster.local'] },
      { [branch]: 'allow', [partner]: 'deny', [lookalike]: 'deny', '': 'deny' },
    ],
    [
      'trustDomains and namespaces',
      { trustDomains: ['cluster.local'], namespaces: ['branches'] },
      { [branch]: 'allow', [other]: 'deny', [partner]: 'deny' },
    ],
    [
      'trustDomains and principals, both of which must hold',
      { trustDomains: ['cluster.local'], principals: ['*/ns/branches/sa/teller'] },
      { [branch]: 'allow', [partner]: 'deny', [other]: 'deny' },
    ],
    ['a prefix of trust domains', { trustDomains: ['partner*'] }, { [partner]: 'allow', [branch]: 'deny' }],
    ['any trust domain', { trustDomains: ['*'] }, { [partner]: 'allow', [branch]: 'allow', '': 'deny' }],
    [
      'a suffix, which layer 4 cannot see, hence allows nothing',
      { trustDomains: ['*.example'] },
      { [partner]: 'deny', [branch]: 'deny' },
    ],
    [
      'notTrustDomains and notPrincipals, none of which may match',
      { notTrustDomains: ['partner.example'], notPrincipals: [other] },
      { [branch]: 'allow', [partner]: 'deny', [other]: 'deny' },
    ],
  ];
  for (const [title, source, expected] of table) {
    it(`enforces ${title}`, () => {
      const authorization = only(policy({ rules: [{ from: [{ source }] }] }));
      const verdicts = Object.fromEntries(
        Object.keys(expected).map((id) => [id, verdict(authorization, call(id === '' ? undefined : id))]),
      );
      expect(verdicts).to.deep.equal(expected);
    });
  }

  it('keeps sibling sources and other clauses beside a source of two matches', () => {
    const authorization = only(
      policy({
        rules: [
          {
            from: [
              { source: { principals: ['*/sa/teller'], trustDomains: ['cluster.local'] } },
              { source: { namespaces: ['ops'] } },
            ],
            to: [{ operation: { ports: ['8080'] } }],
          },
        ],
      }),
    );
    expect(verdict(authorization, call(branch))).to.equal('allow');
    expect(verdict(authorization, call('cluster.local/ns/ops/sa/auditor'))).to.equal('allow');
    expect(verdict(authorization, call(partner))).to.equal('deny');
    expect(verdict(authorization, call(branch, 9000))).to.equal('deny');
  });

  it('ignores them where upstream does', () => {
    const manifest = policy({ rules: [{ from: [{ source: { trustDomains: ['cluster.local'], namespaces: ['branches'] } }] }] });
    expect(verdict(only(manifest, { trustDomainsAtL4: false }), call(partner))).to.equal('allow');
  });
});

describe('an empty selector', () => {
  it('means the namespace', () => {
    expect(only(policy({ selector: {}, action: 'DENY' })).scope).to.equal('NAMESPACE');
  });

  it('means nobody where upstream has it so', () => {
    expect(only(policy({ selector: {}, action: 'DENY' }), { emptySelector: 'upstream' }).scope).to.equal('WORKLOAD_SELECTOR');
  });
});

describe('a dry-run policy', () => {
  it('is sent as such', () => {
    expect(only(policy({ action: 'DENY' }, { 'istio.io/dry-run': 'true' })).dryRun).to.equal(true);
  });

  it('is withheld where upstream has it so', () => {
    expect(
      derived([policy({}, { 'istio.io/dry-run': 'true' })], { dryRun: 'withhold', defaultMtls: 'PERMISSIVE' }).policies,
    ).to.deep.equal([]);
  });

  it('is enforced when the annotation cannot be read', () => {
    expect(only(policy({ action: 'DENY' }, { 'istio.io/dry-run': 'ture' })).dryRun).to.equal(false);
  });
});

describe('derive', () => {
  it('leaves objects of another revision alone', () => {
    const manifest = policy({ action: 'DENY' });
    const foreign = {
      ...manifest,
      value: { ...manifest.value, metadata: { ...manifest.value.metadata, labels: { 'istio.io/rev': 'canary' } } },
    };
    expect(derived([foreign as Manifest]).policies.map((p) => p.name)).to.deep.equal(['istio_converted_static_strict']);
  });

  it('gives the same result whatever the order of its input', () => {
    const manifests = [pod('b', { ip: '10.244.1.3' }), pod('a'), policy({ selector: { matchLabels: {} } })];
    expect(derived(manifests)).to.deep.equal(derived(manifests.toReversed()));
  });
});
