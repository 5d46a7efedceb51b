import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createLogger, silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields, LogOptions } from '@clearmesh/shared/observe/log';
import seen from '../vectors/seen.json' with { type: 'json' };

function lines(options: LogOptions, use: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const written: string[] = [];
  use(createLogger('access', { ...options, write: (line) => void written.push(line) }));
  return written;
}

/** The fields of the recorded line, in their order. */
const closed: LogFields = {
  'src.addr': '10.98.0.3:47580',
  'src.workload': 'plain',
  'src.namespace': 'bank',
  'src.identity': 'spiffe://cluster.local/ns/bank/sa/far-sa',
  'src.cluster': 'cl-1',
  'dst.addr': '10.98.0.2:15008',
  'dst.hbone_addr': '10.98.0.2:8080',
  'dst.service': 'ledger.bank.svc.cluster.local',
  'dst.workload': 'server',
  'dst.namespace': 'bank',
  'dst.identity': 'spiffe://cluster.local/ns/bank/sa/server-sa',
  'dst.cluster': 'cl-1',
  direction: 'inbound',
  bytes_sent: 0,
  bytes_recv: 0,
  duration: '0ms',
  error: 'connection closed due to policy rejection: explicitly denied by: bank/d',
};

describe('log lines', () => {
  it('are tab-separated text, each field where upstream has it', () => {
    const [line = ''] = lines({}, (logger) => logger.error('connection complete', closed));
    const [time = '', level, scope, message, fields = ''] = line.split('\t');
    const [, wantedLevel, wantedScope, wantedMessage, wantedFields = ''] = seen.plainLogLine.split('\t');
    expect(new Date(time).toISOString()).to.equal(time);
    expect([level, scope, message]).to.deep.equal([wantedLevel, wantedScope, wantedMessage]);
    // Upstream leaves `direction` in quotes; here it stands bare, like the other closed sets.
    expect(fields).to.equal(`${wantedFields.replace('"inbound"', 'inbound')}\n`);
  });

  it('are one JSON object with the fields in order, without those undefined', () => {
    const [line = ''] = lines({ format: 'json' }, (logger) =>
      logger.warn('connection failed', { 'dst.addr': 'x', gone: undefined, error: 'e' }),
    );
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
    expect(Object.entries(rest)).to.deep.equal([
      ['level', 'warn'],
      ['scope', 'access'],
      ['message', 'connection failed'],
      ['dst.addr', 'x'],
      ['error', 'e'],
    ]);
    expect(time).to.be.a('string');
    expect(line.endsWith('}\n')).to.equal(true);
  });

  it('stay one line whatever a field holds', () => {
    const [line = ''] = lines({}, (logger) => logger.info('m', { 'dst.addr': 'a\nb', error: 'c\n"d"' }));
    expect(line.trimEnd()).not.to.include('\n');
    expect(line).to.include('dst.addr="a\\nb" error="c\\n\\"d\\""');
  });

  it('stay one line whatever a message holds', () => {
    const [line = ''] = lines({}, (logger) => logger.info('first\nsecond\tthird'));
    expect(line.trimEnd()).not.to.include('\n');
    expect(line.split('\t')).to.have.length(5);
  });

  it('hold no character that a terminal obeys, wherever it came from', () => {
    const [line = ''] = lines({}, (logger) => logger.info('m\u001b[2J', { 'dst.addr': 'a\u009b', error: 'b\u001b\u007f\u009b' }));
    expect(line.trimEnd().replaceAll('\t', '')).to.match(/^[ -~]*$/);
    expect(line).to.include('m\\x1b[2J').and.to.include('error="b\\u001b\\x7f\\x9b"');
  });

  it('are left out below the level', () => {
    const written = lines({ level: 'warn', format: 'json' }, (logger) => {
      logger.debug('d');
      logger.info('i');
      logger.warn('w');
      logger.error('e');
    });
    expect(written.map((line) => (JSON.parse(line) as { level: string }).level)).to.deep.equal(['warn', 'error']);
  });

  it('carry the scope of their logger', () => {
    const [line = ''] = lines({ format: 'json' }, (logger) => logger.scope('xds').scope('ca').info('m'));
    expect(JSON.parse(line)).to.include({ scope: 'ca' });
  });

  it('are swallowed by the silent logger', () => {
    expect(silentLogger.scope('x')).to.equal(silentLogger);
    for (const level of ['debug', 'info', 'warn', 'error'] as const) silentLogger[level]('m');
  });
});
