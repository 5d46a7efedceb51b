import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { accessLine } from '../../../src/telemetry/access/access-line.ts';
import type { AccessEntry } from '../../../src/telemetry/access/access-line.ts';
import { AccessLog } from '../../../src/telemetry/access/access-log.ts';
import { endpoint, requestFacts } from '../exchange-facts.ts';

function entry(changes: Partial<AccessEntry> = {}): AccessEntry {
  return {
    facts: requestFacts(),
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    route: 'HTTPRoute bank/ledger',
    status: 200,
    flag: '-',
    attempts: 1,
    upstream: endpoint(),
    bytesIn: 10,
    bytesOut: 300,
    durations: { total: 12.345678, upstream: 10, authz: 0.2 },
    outcome: 'completed',
    ...changes,
  };
}

describe('accessLine', () => {
  it('is the contract’s JSON on one line', () => {
    const policy = { name: 'OpaPolicy ledger/four-eyes', rule: 'allow', bundleRevision: '7', cached: true };
    const line = accessLine(entry({ policy, decisionId: 'd-1', rateLimit: 'RateLimitPolicy bank/x#y', faultId: 'f' }));
    expect(line.endsWith('}\n')).to.equal(true);
    expect(line.slice(0, -1)).to.equal(
      '{"ts":"2026-01-01T00:00:00.000Z","scope":"access","request_id":"6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11",' +
        '"decision_id":"d-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",' +
        '"src_principal":"spiffe://cluster.local/ns/shop/sa/web","src_addr":"10.1.0.9:52000",' +
        '"dst_principal":"spiffe://cluster.local/ns/bank/sa/ledger","dst_service":"bank/ledger.bank.svc.cluster.local",' +
        '"dst_port":8080,"protocol":"HTTP/1.1","method":"GET","authority":"ledger.bank:8080","path":"/accounts/42",' +
        '"route":"HTTPRoute bank/ledger","status":200,"flags":"-","attempts":1,"upstream":"bank/ledger-0",' +
        '"upstream_addr":"10.1.0.20:8080","bytes_in":10,"bytes_out":300,' +
        '"durations":{"total":12.346,"upstream":10,"authz":0.2},' +
        '"tls":{"ver":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384"},' +
        '"policy":{"name":"OpaPolicy ledger/four-eyes","rule":"allow","bundle_rev":"7","cached":true},' +
        '"rl":"RateLimitPolicy bank/x#y","fault_id":"f","outcome":"completed"}',
    );
  });

  it('holds no query, credential, cookie or card number (A1)', () => {
    const facts = requestFacts({ path: '/cards/4111-1111-1111-1111', authority: 'user:secret@ledger', query: 'secret=1' });
    expect(accessLine(entry({ facts }))).not.to.match(/secret|DE89|4111/);
  });

  it('stays one line that parses, whatever the request holds (A2)', () => {
    const facts = requestFacts({ method: 'A"\n', authority: '\u001b[31m\n', path: '/\u2028"\\' });
    const line = accessLine(entry({ facts, details: 'two\nlines' }));
    expect(line.split('\n')).to.have.length(2);
    expect(JSON.parse(line)).to.include({ method: 'A"\n', details: 'two\nlines' });
  });

  it('is what JSON.stringify would make of it, whatever stands in it', () => {
    const any = fc.string({ unit: 'binary', maxLength: 40 });
    const maybe = fc.option(any, { nil: undefined });
    const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
    const given = fc.record({ id: any, authority: any, details: maybe, route: maybe, rateLimit: maybe, name: maybe, total: ms });
    fc.assert(
      fc.property(given, ({ id, authority, details, route, rateLimit, name, total }) => {
        const facts = requestFacts({ id, authority: authority.replaceAll('@', '') });
        const line = accessLine(entry({ facts, details, route, rateLimit, policy: { name }, durations: { total } }));
        const said: unknown = JSON.parse(line);
        expect(line).to.equal(`${JSON.stringify(said)}\n`);
        const asJson: unknown = JSON.parse(
          JSON.stringify({ request_id: id, authority: facts.authority, details, route, rl: rateLimit, policy: { name } }),
        );
        expect(said).to.deep.include(asJson);
        expect(said).to.have.deep.property('durations', { total: Math.round(total * 1_000) / 1_000 });
      }),
    );
  });

  it('cuts what the caller chose (A3)', () => {
    const long = 'x'.repeat(100_000);
    const facts = requestFacts({ method: long, authority: long, path: `/${long}` });
    expect(accessLine(entry({ facts, details: long })).length).to.be.below(3_000);
  });
});

describe('AccessLog', () => {
  const half = [0.9, 0.1];

  for (const [name, changes, written] of [
    ['half of the ordinary ones', {}, 1],
    ['all errors', { status: 503, flag: 'UH' }, 2],
    ['all denials', { status: 403, flag: 'RBAC' }, 2],
    ['all gRPC errors', { grpcStatus: 7 }, 2],
    ['all retried ones', { attempts: 2 }, 2],
    ['all without answer', { status: 0, flag: 'DC' }, 2],
  ] as const) {
    it(`writes ${name} at a share of 0.5`, () => {
      const lines: string[] = [];
      const deps = { random: new FakeRandom(half), write: (line: string) => lines.push(line) > 0 };
      const log = new AccessLog({ successShare: 0.5 }, deps);
      for (const _ of half) log.recvEnded(entry(changes));
      expect(lines).to.have.length(written);
      expect(log.counts).to.deep.equal({ written, sampledOut: 2 - written, lost: 0 });
    });
  }

  it('counts lines that were lost', () => {
    const log = new AccessLog({}, { random: new FakeRandom(), write: () => false });
    log.recvEnded(entry());
    expect(log.counts).to.deep.equal({ written: 0, sampledOut: 0, lost: 1 });
  });
});
