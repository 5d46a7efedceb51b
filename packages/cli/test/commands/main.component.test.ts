import { expect } from 'chai';
import { describe, it } from 'mocha';
import { fileURLToPath } from 'node:url';
import { Run } from '../command-run.ts';

const bank = fileURLToPath(new URL('../../../../examples/bank', import.meta.url));
const place = ['--directory', bank, '--if-enrolled'];

describe('clearmesh, as its users run it', () => {
  for (const [name, args, status, says] of [
    ['an allowed call', ['why', 'payments/payments-0', 'ledger/ledger', ...place], 0, /^ALLOWED/],
    ['a refused call', ['why', 'payments/payments-0', 'customer-analytics/analytics', ...place], 1, /^REFUSED/],
    [
      'a caller that is not there',
      ['why', 'payments/nobody', 'ledger/ledger', ...place],
      2,
      /MESH-CONFIG-003.*\n.*There is payments-0/,
    ],
    ['a kubeconfig that is not there', ['why', 'a/b', 'c/d:1', '--kubeconfig', '/nowhere'], 2, /\/nowhere.*\n.*--directory DIR/],
    ['a pod', ['describe', 'pod', 'ledger/ledger-0', ...place], 0, /^Pod ledger\/ledger-0/],
    ['a kind that has no description', ['describe', 'gateway', 'x', ...place], 2, /gateway cannot be described/],
    ['the mesh', ['status', ...place, '-o', 'json'], 0, /"namespaces"/],
    ['a waypoint', ['waypoint', 'generate', '-n', 'ledger'], 0, /gatewayClassName: clearmesh-waypoint/],
    ['a call without its end', ['why', 'payments/payments-0', ...place], 2, /missing required argument 'to'/],
    ['a flag that is none', ['check', '--nothing'], 2, /unknown option '--nothing'/],
    ['versions', ['version', '-o', 'json'], 0, /"version": "\d/],
  ] as const) {
    it(`answers about ${name} with exit status ${status}`, async () => {
      const run = new Run(...args);
      const ending = await run.ended;
      expect([ending.status, says.test(run.stdout + run.stderr)]).to.deep.equal([status, true], run.stdout + run.stderr);
    });
  }

  for (const command of [
    ['why'],
    ['describe'],
    ['proxy'],
    ['check'],
    ['status'],
    ['version'],
    ['waypoint', 'apply'],
    ['waypoint', 'status'],
  ]) {
    it(`explains ${command.join(' ')}`, async () => {
      const run = new Run(...command, '--help');
      expect([(await run.ended).status, run.stdout.startsWith(`Usage: clearmesh ${command.join(' ')} [options]`)]).to.deep.equal([
        0,
        true,
      ]);
    });
  }
});
