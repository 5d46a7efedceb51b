import { expect } from 'chai';
import { describe, it } from 'mocha';
import { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { readOperation } from '../src/operation-environment.ts';
import type { OperationConfig } from '../src/operation-environment.ts';

function read(env: Record<string, string>): OperationConfig {
  const reader = new EnvironmentReader(env);
  const config = readOperation(reader);
  reader.finish();
  return config;
}

describe('readOperation', () => {
  it('is upstream’s behaviour unless told otherwise', () => {
    expect(read({})).to.deep.equal({
      resets: false,
      accessLog: { filter: {}, shares: {} },
      acceptDeadlineMs: 60_000,
      unreadLimit: 268_435_456,
    });
  });

  it('reads what is set', () => {
    expect(read({ PROPAGATE_RESETS: 'true' })).to.include({ resets: true });
    expect(read({ ACCESS_LOG_SAMPLE: '0.01', ACCESS_LOG_FILTER: 'namespace=bank' }).accessLog).to.deep.equal({
      filter: { namespaces: ['bank'] },
      shares: { ok: 0.01 },
    });
  });

  const refused = [
    ['PROPAGATE_RESETS', 'perhaps'],
    ['ACCESS_LOG_FILTER', 'everything'],
    ['ACCESS_LOG_SAMPLE', '7'],
    ['ACCEPT_FAILURE_DEADLINE', '60'],
    ['TUNNEL_UNREAD_LIMIT', '1000'],
  ] as const;
  for (const [name, value] of refused) {
    it(`refuses ${name}=${value}`, () => {
      expect(() => read({ [name]: value })).to.throw(MeshError, name);
    });
  }
});
