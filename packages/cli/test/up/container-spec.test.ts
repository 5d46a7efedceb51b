import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { readContainer } from '../../src/up/container-spec.ts';

describe('readContainer', () => {
  it('reads command, arguments, environment, directory and the first TCP port', () => {
    const reading = readContainer({
      name: 'ledger',
      image: 'ledger:1',
      command: ['node'],
      args: ['ledger.ts'],
      workingDir: 'services',
      env: [
        { name: 'URL', value: 'http://10.96.0.20' },
        { name: 'EMPTY' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      ports: [{ containerPort: 53, protocol: 'UDP' }, { name: 'http', containerPort: 8080 }, { containerPort: 9090 }],
    });
    expect(reading).to.deep.equal({
      ok: true,
      spec: {
        command: ['node', 'ledger.ts'],
        env: { URL: 'http://10.96.0.20', EMPTY: '' },
        envFromFields: { IP: 'status.podIP' },
        workingDir: 'services',
        port: 8080,
        namedPorts: { http: 8080 },
      },
    });
  });

  for (const [name, container, path] of [
    ['no container', undefined, ['command']],
    ['no command', { image: 'x' }, ['command']],
    ['a number as argument', { command: ['redis-server'], args: ['--port', 6379] }, ['args']],
    ['a command line', { command: 'node ledger.ts' }, ['command']],
    ['a variable without a name', { command: ['x'], env: [{ name: 'A' }, { value: '1' }] }, ['env', 1, 'name']],
    ['a number as value', { command: ['x'], env: [{ name: 'PORT', value: 1 }] }, ['env', 0]],
    [
      'a secret as value',
      { command: ['x'], env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'k', key: 'k' } } }] },
      ['env', 0],
    ],
  ] as const) {
    it(`refuses ${name} by its field`, () => {
      const reading = readContainer(container);
      expect(!reading.ok && reading.findings.map((finding) => finding.path)).to.deep.equal([path]);
    });
  }

  it('never throws', () => {
    fc.assert(fc.property(fc.anything(), (value) => typeof readContainer(value).ok === 'boolean'));
    const entry = fc.record(
      { command: fc.anything(), args: fc.anything(), env: fc.anything(), ports: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(fc.property(entry, (value) => typeof readContainer(value).ok === 'boolean'));
  });
});
