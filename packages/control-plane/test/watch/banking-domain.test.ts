/** A BankingDomain that is refused. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { checkContradictions } from '../../src/watch/check-contradictions.ts';
import { checkSurroundings } from '../../src/watch/check-surroundings.ts';
import { parseManifestFile } from '../../src/watch/manifest-file.ts';
import { domainText } from '../fixtures/domain-text.ts';
import { namespaceText, objectText, serviceTarget } from '../fixtures/manifest-text.ts';
import { problems, refuses } from './refusals.ts';

const waypoint = { name: 'gate', namespace: 'ledger' };
const domain = (spec: object): string => domainText('books', { namespaces: ['ledger'], waypoint, ...spec });
const resilience = (spec: object): string => domain({ defaults: { resilience: spec } });
const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };

describe('a BankingDomain as it is written', () => {
  it('with everything is accepted', () => {
    const defaults = { resilience: { class: 'money-movement', timeouts: { request: '5s' } } };
    expect(problems(domain({ criticality: 'high', defaults }))).to.deep.equal([]);
    expect(problems(domainText('books', { namespaces: ['ledger'] }))).to.deep.equal([]);
  });

  refuses([
    ['no namespaces', domain({ namespaces: [] }), 'spec.namespaces', /is empty/, /Name a namespace/],
    ['a namespace twice', domain({ namespaces: ['a', 'b', 'a'] }), 'spec.namespaces[2] "a"', /twice/, /once/],
    ['a name that is none', domain({ namespaces: ['A'] }), 'spec.namespaces[0] "A"', /lower-case/, /lower-case/],
    [
      'the root namespace',
      domain({ namespaces: ['clearmesh-system'] }),
      'spec.namespaces[0] "clearmesh-system"',
      /root/,
      /Remove/,
    ],
    [
      'none as waypoint',
      domain({ waypoint: { ...waypoint, name: 'none' } }),
      'spec.waypoint.name "none"',
      /no waypoint/,
      /Gateway/,
    ],
    ['a waypoint from nowhere', domain({ waypoint: { name: 'gate' } }), 'spec.waypoint.namespace', /missing/, /Add/],
    ['a mistyped field', domain({ criticalty: 'high' }), 'spec.criticalty "high"', /not a known field/, /criticality\?/],
    [
      'criticality of no waypoint',
      domain({ waypoint: undefined, criticality: 'high' }),
      'spec.criticality "high"',
      /without a waypoint/,
      /Add spec\.waypoint/,
    ],
    [
      'defaults that contradict themselves',
      resilience({ timeouts: { request: '1s', backendRequest: '2s' } }),
      'spec.defaults.resilience.timeouts.backendRequest "2s"',
      /./,
      /./,
    ],
    [
      'targets of its defaults',
      resilience({ targetRefs: [serviceTarget('a')] }),
      'spec.defaults.resilience.targetRefs [{"group":"","kind":"Service","name":"a"}]',
      /not a known field/,
      /./,
    ],
  ]);

  it('contradicts another one with the same namespace', () => {
    const { objects } = parseManifestFile(
      'b.yaml',
      `${domain({})}${domainText('cards', { namespaces: ['cards', 'ledger'] })}`,
      rules,
    );
    const found = checkContradictions(objects).map(({ finding }) => `${finding.path.join('.')} ${finding.message}`);
    expect(found).to.deep.equal(['spec.namespaces.1 belongs already to BankingDomain books']);
  });

  it('that moves money keeps experiments away', () => {
    const drill = { startsAt: '2026-01-01T00:00:00Z', owner: 'ann', approver: 'ben', delay: '1s' };
    const experiment = objectText('FaultExperiment', 'p', { targetRefs: [serviceTarget('a')], ...drill });
    const test = namespaceText('ledger', { 'clearmesh.io/environment': 'test' });
    const found = (spec: object): readonly string[] =>
      checkSurroundings(parseManifestFile('b.yaml', `${test}${experiment}${resilience(spec)}`, rules).objects).map(
        ({ finding }) => finding.message,
      );
    expect(found({})).to.deep.equal([]);
    expect(found({ class: 'money-movement' })).to.have.length(1);
  });
});
