/** Callers of another network at a waypoint: by the service's name, and known by what they say of themselves. */
import http from 'node:http';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { WaypointBed, ledger, payments } from './waypoint-bed.ts';

const baggage =
  'k8s.cluster.name=east,k8s.namespace.name=treasury,k8s.deployment.name=clearing,service.name=clearing,service.version=v2';
const authority = `${ledger.hostname}:8080`;

describe('a caller of another network', () => {
  let bed: WaypointBed;
  beforeEach(async () => {
    bed = await WaypointBed.open({ network: 'west' });
    await bed.addEndpoint(
      'ledger-0',
      http.createServer((_request, response) => response.end('booked')),
      { network: 'west' },
    );
    bed.push({}, [{ ...ledger, addresses: ledger.addresses.map((address) => ({ ...address, network: 'west' })) }]);
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  async function ask(stream: Duplex | number): Promise<number | undefined> {
    if (typeof stream === 'number') return stream;
    const request = http.request({ createConnection: () => stream, agent: undefined, path: '/' }).end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    stream.destroy();
    return response.statusCode;
  }

  const sources = async (): Promise<readonly string[]> =>
    (await bed.metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('istio_requests_total{'))
      .map((line) => /source_workload="([^"]*)"/.exec(line)?.[1] ?? '');

  it('is served by the name of the service, counted and passed on as whom it says it is', async () => {
    expect(await ask(await bed.connect(payments, authority, { xForwardedNetwork: 'east', baggage }))).to.equal(200);
    expect(await sources()).to.deep.equal(['clearing']);
    expect(bed.asked.map(({ headers }) => [headers.caller, headers.baggage])).to.deep.equal([[payments, baggage]]);
  });

  it('is nobody known where it says nothing, or too much', async () => {
    for (const said of [undefined, `k8s.deployment.name=${'x'.repeat(9_000)}`]) {
      const headers = { xForwardedNetwork: 'east', ...(said === undefined ? {} : { baggage: said }) };
      expect(await ask(await bed.connect(payments, authority, headers))).to.equal(200);
    }
    expect(await sources()).to.deep.equal(['unknown']);
    for (const { headers } of bed.asked) expect(headers.baggage).to.include('ledger-waypoint').and.not.include('xxx');
  });

  it('is not believed about itself when it comes from the own network', async () => {
    expect(await ask(await bed.connect(payments, authority, { xForwardedNetwork: 'WEST', baggage }))).to.equal(200);
    expect(await sources()).to.not.include('clearing');
  });
});
