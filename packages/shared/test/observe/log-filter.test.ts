import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createLogger } from '../../src/observe/log.ts';
import { FilteredLog, formatLogFilter, parseLogFilter } from '../../src/observe/log-filter.ts';

function bed(filter: string): { readonly log: FilteredLog; readonly lines: string[] } {
  const lines: string[] = [];
  const sink = createLogger('ztunnel', { level: 'debug', format: 'json', write: (line) => lines.push(line) });
  return { log: new FilteredLog(parseLogFilter(filter)!, { sink }), lines };
}

describe('log filter', () => {
  for (const text of ['info', 'debug', 'warn,access=info', 'error,access=debug,zds=info']) {
    it(`reads and writes ${text}`, () => expect(formatLogFilter(parseLogFilter(text)!)).to.equal(text));
  }

  for (const text of ['', 'loud', 'info,access', 'access=', '=info', 'a=b=info', 'bad::=x']) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseLogFilter(text)).to.equal(undefined));
  }

  it('takes upstream’s trace for debug, and keeps errors when off', () => {
    expect([parseLogFilter('trace')?.level, parseLogFilter('OFF')?.level]).to.deep.equal(['debug', 'error']);
  });
});

describe('FilteredLog', () => {
  it('says whether a scope writes debug lines, as the filter has it now', () => {
    const { log } = bed('info,access=debug');
    const scopes = ['access', 'xds'].map((name) => log.scope(name));
    expect(scopes.map(({ debugs }) => debugs)).to.deep.equal([true, false]);
    log.set('debug,access=warn');
    expect(scopes.map(({ debugs }) => debugs)).to.deep.equal([false, true]);
  });

  it('writes a scope from its own level on, the others from the general one', () => {
    const { log, lines } = bed('warn,access=debug');
    log.scope('access').debug('shown');
    log.scope('xds').info('hidden');
    log.scope('xds').warn('shown too');
    log.scope('xds').scope('access').debug('and this');
    expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).to.deep.equal([
      'shown',
      'shown too',
      'and this',
    ]);
  });

  it('changes loggers that exist already, refuses what is no filter, and goes back on reset', () => {
    const { log, lines } = bed('info');
    const logger = log.scope('xds');
    expect([log.set('debug'), log.set('bad::=x'), log.level]).to.deep.equal([true, false, 'debug']);
    logger.debug('shown');
    log.reset();
    logger.debug('hidden');
    expect([lines.length, log.level]).to.deep.equal([1, 'info']);
  });
});
