import { expect } from 'chai';
import { describe, it } from 'mocha';
import { policyKey } from '@clearmesh/shared/model/names';
import { createLogger } from '@clearmesh/shared/observe/log';
import { identity, ip, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { Denial, Permit } from '../../src/authorise/permit.ts';
import { PolicyLog } from '../../src/path/policy-log.ts';

const facts = {
  sourceIp: ip('10.0.0.1'),
  identity: identity('bank', 'a'),
  destination: socketAddress('10.0.0.2:80'),
  workload: workload(),
};
const policy = policyKey('bank', 'p');
const permit = { kind: 'permit', facts, allowedBy: policy, dryRun: [] } as unknown as Permit;
const denial: Denial = {
  kind: 'denied',
  reason: 'explicit-deny',
  policy,
  rule: 0,
  explanation: 'because',
  dryRun: [{ outcome: 'would-allow', policy, rule: 2 }],
};

type Bed = {
  readonly log: PolicyLog;
  readonly lines: () => readonly Record<string, unknown>[];
  /** Outcome and policy. */
  readonly counted: (readonly [string, string | undefined])[];
};

function bed(decisions: 'debug' | 'info'): Bed {
  const counted: Bed['counted'] = [];
  const metrics = { dryRun: (...facts: readonly [string, string | undefined]) => void counted.push(facts) };
  const lines: string[] = [];
  const logger = createLogger('policy', { level: 'debug', format: 'json', write: (line) => lines.push(line) });
  return {
    log: new PolicyLog({ decisions }, { logger, metrics }),
    counted,
    lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('PolicyLog', () => {
  it('names the caller beside the peer that spoke for it', () => {
    const { log, lines } = bed('info');
    log.recvDecision({ ...facts, caller: identity('bank', 'payments') }, permit);
    expect(lines()[0]).to.include({ 'src.identity': identity('bank', 'a'), 'src.caller': identity('bank', 'payments') });
  });

  for (const level of ['debug', 'info'] as const) {
    it(`writes each decision at ${level} when so configured`, () => {
      const { log, lines } = bed(level);
      log.recvDecision(facts, permit);
      log.recvDecision(facts, denial);
      expect(lines().map((line) => [line['level'], line['message'], line['policy']])).to.deep.equal([
        [level, 'allowed', policy],
        [level, 'dry run: would-allow', policy],
        [level, 'denied', policy],
      ]);
    });
  }

  it('counts what dry-run policies would have done', () => {
    const { log, counted } = bed('debug');
    log.recvDecision(facts, denial);
    log.recvDecision(facts, { ...permit, dryRun: [{ outcome: 'no-allow-would-match' }] } as unknown as Permit);
    expect(counted).to.deep.equal([
      ['would-allow', policy],
      ['no-allow-would-match', undefined],
    ]);
  });

  it('warns of a missing policy once', () => {
    const { log, lines } = bed('debug');
    log.recvMissing([policy]);
    log.recvMissing([policy]);
    expect(lines().map((line) => [line['level'], line['policy']])).to.deep.equal([['warn', policy]]);
  });
});
