import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseStatusFile, withFacts } from '../../src/watch/status-file.ts';
import { pod } from '../fixtures/objects.ts';
import type { PodFacts } from '../../src/watch/status-file.ts';

function facts(text: string): PodFacts | undefined {
  const reading = parseStatusFile('status.yaml', text);
  return reading.kind === 'status' ? reading.status.get('payments/payments-0') : undefined;
}

describe('parseStatusFile', () => {
  it('reads what is known of each pod', () => {
    const text = 'pods:\n  payments/payments-0: { podIPs: [10.244.1.2], nodeName: node-a, ready: true, redirection: enabled }\n';
    expect(facts(text)).to.deep.equal({ podIPs: ['10.244.1.2'], nodeName: 'node-a', ready: true, redirection: 'enabled' });
  });

  for (const text of ['', '# nobody\n', 'pods:\n', 'pods: {}\n']) {
    it(`takes ${JSON.stringify(text)} for no pods`, () => {
      expect(parseStatusFile('status.yaml', text)).to.deep.equal({ kind: 'status', status: new Map() });
    });
  }

  const wrong: readonly [string, string, number, string][] = [
    ['an address that is none', 'pods:\n  a/b: { podIPs: [x] }\n', 2, 'pods["a/b"].podIPs[0]'],
    ['an unknown word', 'pods:\n  a/b: { redirection: yes }\n', 2, 'pods["a/b"].redirection'],
    ['an unknown field', 'pods:\n  a/b: { redy: true }\n', 2, 'pods["a/b"].redy'],
    ['broken YAML', 'pods:\n  a/b: { podIPs: [x\n', 2, ''],
  ];
  for (const [title, text, line, field] of wrong) {
    it(`refuses ${title}`, () => {
      const reading = parseStatusFile('status.yaml', text);
      const [problem] = reading.kind === 'rejected' ? reading.problems : [];
      expect(problem?.field).to.equal(field);
      expect(problem?.line).to.be.at.least(line);
    });
  }
});

describe('withFacts', () => {
  const { value: known } = pod('payments-0', { namespace: 'payments' });

  it('leaves a pod alone of which nothing is known', () => {
    expect(withFacts(known, undefined)).to.equal(known);
  });

  it('sets addresses, node, readiness and capture', () => {
    const merged = withFacts(known, {
      podIPs: ['10.1.1.1', 'fd00::1'],
      nodeName: 'node-b',
      ready: false,
      redirection: 'pending',
      uid: 'u',
    });
    expect(merged.status).to.deep.equal({
      phase: 'Running',
      podIP: '10.1.1.1',
      podIPs: [{ ip: '10.1.1.1' }, { ip: 'fd00::1' }],
      conditions: [{ type: 'Ready', status: 'False' }],
    });
    expect(merged.spec).to.deep.include({ nodeName: 'node-b', serviceAccountName: 'default' });
    expect(merged.metadata.annotations).to.deep.equal({ 'ambient.istio.io/redirection': 'pending' });
    expect(merged.metadata.uid).to.equal('u');
  });

  it('takes the annotation away from a pod that is captured no more', () => {
    expect(withFacts(known, { redirection: 'disabled' }).metadata.annotations).to.deep.equal({});
  });

  it('takes the addresses away from a pod that lost them', () => {
    expect(withFacts(known, { podIPs: [] }).status).to.deep.include({ podIP: '', podIPs: [] });
  });
});
