import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { endpointFailures } from './endpoint-failures.ts';
import { ask } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import type { LedgerSpec } from './ledger-configuration.ts';
import { refusals } from './refusals.ts';
import type { ScriptServer } from './script-server.ts';
import { WaypointBed } from './waypoint-bed.ts';

describe('failures through a waypoint', () => {
  let bed: WaypointBed;

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function serve({ server }: ScriptServer, spec?: LedgerSpec): Promise<number> {
    await bed.addEndpoint('ledger-0', server);
    expect(bed.push(...ledgerConfiguration(spec))).to.deep.equal([]);
    return bed.door();
  }

  for (const row of [...endpointFailures, ...refusals]) {
    it(`are told apart: ${row.what}`, async () => {
      const app = row.server();
      const port = await serve(app, row.spec);
      if (row.gone === true) app.server.close();
      const { status, headers } = await ask(port, row.ask);
      const line = await bed.line(String(headers['x-request-id']));
      const { 'x-mesh-denied': kind = '-', 'x-mesh-outcome': told = line['outcome'] } = headers;
      expect(`${status} ${String(kind)} ${String(line['flags'])} ${String(line['outcome'])}`).to.equal(row.ends);
      expect([line['status'], told]).to.deep.equal([status, line['outcome']]);
      expect(line['attempts']).to.equal(row.attempts ?? (row.dispatched === 0 ? 0 : 1));
      expect(app.requests.length).to.equal(row.dispatched);
      const metrics = await bed.metrics.registry.metrics();
      expect(metrics).to.match(
        new RegExp(
          `istio_requests_total\\{[^}]*response_code="${status}"[^}]*response_flags="${String(line['flags'])}"[^}]*\\} 1`,
        ),
      );
      if (kind !== '-' && row.attempts === undefined && row.dispatched === 0)
        expect(metrics).to.match(new RegExp(`clearmesh_denials_total\\{reason="${String(kind)}"[^}]*\\} 1`));
      expect(bed.plane.active).to.equal(0);
    });
  }
});
