import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { WorkloadType } from '@clearmesh/shared/model/workload';
import { workload } from '@clearmesh/shared/testing/builders';
import { formatBaggage, parseBaggage } from '@clearmesh/shared/wire/baggage';
import type { BaggageFacts } from '@clearmesh/shared/wire/baggage';
import { workload as anyWorkload } from '../arbitraries.ts';
import seen from '../vectors/seen.json' with { type: 'json' };

const client = workload({
  clusterId: 'cl-1',
  workloadType: 'DEPLOYMENT',
  workloadName: 'client-deploy',
  canonicalName: 'client-app',
  canonicalRevision: 'v1',
  locality: { region: 'eu', zone: 'eu-a', subzone: 'rack' },
});

describe('baggage', () => {
  const recorded = seen.directHeaders[seen.directHeaders.indexOf('baggage') + 1] ?? '';

  it('is written as upstream does', () => expect(formatBaggage(client)).to.equal(recorded));

  it('is read as upstream writes it', () => {
    expect(parseBaggage([recorded])).to.deep.equal({
      clusterId: 'cl-1',
      namespace: 'bank',
      workloadType: 'DEPLOYMENT',
      workloadName: 'client-deploy',
      canonicalName: 'client-app',
      canonicalRevision: 'v1',
      region: 'eu',
      zone: 'eu-a',
    } satisfies BaggageFacts);
  });

  it('leaves empty values out', () => {
    const bare = workload({ clusterId: '', namespace: '', workloadName: '', canonicalName: 'a', canonicalRevision: '' });
    expect(formatBaggage(bare)).to.equal('service.name=a');
  });

  it('names the workload by its kind', () => {
    const keys = (['DEPLOYMENT', 'CRONJOB', 'POD', 'JOB'] satisfies WorkloadType[]).map(
      (workloadType) => formatBaggage(workload({ workloadType, workloadName: 'w' })).split(',')[2],
    );
    expect(keys).to.deep.equal(['k8s.deployment.name=w', 'k8s.cronjob.name=w', 'k8s.pod.name=w', 'k8s.job.name=w']);
  });

  const values: readonly (readonly [values: readonly string[], facts: BaggageFacts])[] = [
    [[], {}],
    [[''], {}],
    [['k8s.cluster.name=a', 'k8s.namespace.name=b'], { clusterId: 'a', namespace: 'b' }],
    [['k8s.cluster.name=a,k8s.cluster.name=b'], { clusterId: 'b' }],
    [['k8s.cluster.name='], {}],
    [['k8s.cluster.name'], {}],
    [['=a,,unknown=b, service.name = c '], { canonicalName: 'c' }],
    [['service.name=c;ttl=1;x'], { canonicalName: 'c' }],
    [['service.name=a=b'], { canonicalName: 'a=b' }],
    [['service.name=a%2Cb%20c'], { canonicalName: 'a,b c' }],
    [['service.name=100%'], { canonicalName: '100%' }],
    [['k8s.job.name=j,k8s.pod.name=p'], { workloadType: 'POD', workloadName: 'p' }],
    [['__proto__=x,constructor=y'], {}],
  ];
  for (const [given, facts] of values) {
    it(`${JSON.stringify(given)} yields ${JSON.stringify(facts)}`, () => expect(parseBaggage(given)).to.deep.equal(facts));
  }

  it('reads no more members than a sensible peer sends', () => {
    expect(parseBaggage([`${'x=1,'.repeat(100_000)}service.name=late`])).to.deep.equal({});
  });

  it('carries any workload over, in one line of visible ASCII', () => {
    fc.assert(
      fc.property(anyWorkload, (given) => {
        const text = formatBaggage(given);
        const facts = parseBaggage([text]);
        expect(text).to.match(/^[!-~]*$/);
        expect([facts.namespace ?? '', facts.canonicalName ?? '', facts.workloadName ?? '', facts.zone ?? '']).to.deep.equal([
          given.namespace,
          given.canonicalName,
          given.workloadName,
          given.locality.zone,
        ]);
      }),
    );
  });

  it('never throws on any text', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(fc.property(fc.array(text), (given) => void parseBaggage(given)));
    fc.assert(fc.property(text, (name) => void formatBaggage(workload({ workloadName: name }))));
  });
});
