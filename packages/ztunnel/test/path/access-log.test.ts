import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createLogger } from '@clearmesh/shared/observe/log';
import { policyKey } from '@clearmesh/shared/model/names';
import { identity, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { logComplete, logFailed, logOpened } from '../../src/path/access-log.ts';
import type { AccessFacts } from '../../src/path/access-log.ts';

const facts: AccessFacts = {
  direction: 'outbound',
  source: {
    address: socketAddress('10.98.0.1:36148'),
    workload: workload({ name: 'client', clusterId: 'cl-1' }),
    identity: identity('bank', 'client-sa'),
  },
  destination: {
    address: socketAddress('10.98.0.5:15008'),
    hboneAddress: '10.98.0.5:8080',
    service: 'pay.bank.svc.cluster.local',
    workload: workload({ name: 'far', clusterId: 'cl-1' }),
    identity: identity('bank', 'far-sa'),
  },
};

function written(write: (log: ReturnType<typeof createLogger>) => void, format: 'plain' | 'json' = 'json'): string {
  const lines: string[] = [];
  write(createLogger('access', { format, level: 'debug', write: (line) => lines.push(line) }));
  expect(lines).to.have.length(1);
  return lines[0]!;
}

const object = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

describe('access log', () => {
  it('names the fields of a completed connection in the contract’s order', () => {
    const line = object(written((log) => logComplete(log, facts, { bytesSent: 5, bytesReceived: 7, durationMs: 102.9 })));
    expect(Object.keys(line)).to.deep.equal([
      'level',
      'time',
      'scope',
      'message',
      'src.addr',
      'src.workload',
      'src.namespace',
      'src.identity',
      'src.cluster',
      'dst.addr',
      'dst.hbone_addr',
      'dst.service',
      'dst.workload',
      'dst.namespace',
      'dst.identity',
      'dst.cluster',
      'direction',
      'bytes_sent',
      'bytes_recv',
      'duration',
    ]);
    expect(line).to.include({
      level: 'info',
      scope: 'access',
      message: 'connection complete',
      bytes_sent: 5,
      bytes_recv: 7,
      duration: '102ms',
    });
  });

  it('names a caller beside whom mTLS proved, and the span within its trace', () => {
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: 'c'.repeat(16) };
    const behind = { ...facts, source: { ...facts.source, caller: identity('bank', 'payments') }, trace };
    const line = object(
      written((log) => logComplete(log, behind, { bytesSent: 5, bytesReceived: 7, durationMs: 1, error: 'x' })),
    );
    const keys = Object.keys(line);
    expect(keys.slice(keys.indexOf('src.identity'), keys.indexOf('src.identity') + 3)).to.deep.equal([
      'src.identity',
      'src.caller',
      'src.cluster',
    ]);
    expect(keys.slice(keys.indexOf('duration'))).to.deep.equal(['duration', 'trace_id', 'span_id', 'parent_span_id', 'error']);
    expect(line).to.include({
      'src.identity': identity('bank', 'client-sa'),
      'src.caller': identity('bank', 'payments'),
      trace_id: trace.traceId,
      span_id: trace.spanId,
      parent_span_id: trace.parentSpanId,
    });
  });

  it('leaves out what is not known and what plaintext does not prove', () => {
    const plain: AccessFacts = {
      direction: 'inbound',
      source: { address: socketAddress('10.0.0.9:1') },
      destination: { address: socketAddress('10.0.0.2:80') },
    };
    const line = object(written((log) => logComplete(log, plain, { bytesSent: 0, bytesReceived: 0, durationMs: 0 })));
    expect(Object.keys(line).slice(4)).to.deep.equal([
      'src.addr',
      'dst.addr',
      'direction',
      'bytes_sent',
      'bytes_recv',
      'duration',
    ]);
  });

  it('writes an error as the level says, with the policy and rule of a denial at the end', () => {
    const line = object(
      written((log) =>
        logComplete(log, facts, {
          bytesSent: 0,
          bytesReceived: 0,
          durationMs: 1,
          error: 'denied',
          policy: policyKey('bank', 'deny'),
          rule: 2,
        }),
      ),
    );
    expect(line).to.include({ level: 'error', error: 'denied', policy: 'bank/deny', rule: 2 });
    expect(Object.keys(line).slice(-3)).to.deep.equal(['error', 'policy', 'rule']);
  });

  it('writes the opening at debug without counts', () => {
    const line = object(written((log) => logOpened(log, facts)));
    expect(line).to.include({ level: 'debug', message: 'connection opened' });
    expect(line).not.to.have.any.keys('bytes_sent', 'duration');
  });

  it('writes an early failure as one warning', () => {
    const line = object(
      written((log) =>
        logFailed(log, {
          direction: 'inbound',
          source: socketAddress('10.0.0.9:1'),
          destination: socketAddress('10.0.0.2:15008'),
          error: 'why',
        }),
      ),
    );
    expect(line).to.include({
      level: 'warn',
      message: 'connection failed',
      'src.addr': '10.0.0.9:1',
      'dst.addr': '10.0.0.2:15008',
      direction: 'inbound',
      error: 'why',
    });
  });

  it('is one tab-separated line in plain format', () => {
    const parts = written((log) => logComplete(log, facts, { bytesSent: 1, bytesReceived: 2, durationMs: 3 }), 'plain').split(
      '\t',
    );
    expect(parts).to.have.length(5);
    expect(parts[4]).to.match(
      /^src\.addr=10\.98\.0\.1:36148 src\.workload="client" .*direction=outbound bytes_sent=1 bytes_recv=2 duration="3ms"\n$/,
    );
  });
});
