import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { identity, ip } from '@clearmesh/shared/testing/builders';
import { untilEnd } from './applications.ts';
import { serverIp } from './mesh-bed.ts';
import { WaypointBed, gateway, vip } from './waypoint-bed.ts';

/** The waypoint's own workload has these. */
const address: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('127.0.77.10') }, hboneMtlsPort: 15_008 };
const hostname: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: 'wp.example', hboneMtlsPort: 15_008 };

describe('a waypoint gets the untranslated destination as authority', () => {
  let bed: WaypointBed;
  beforeEach(async () => {
    bed = await WaypointBed.create();
    bed.mesh.push({ workloads: [{ ...bed.waypoint.workload, hostname: 'wp.example' }] });
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  const ask = async (port: number, host: string): Promise<void> => {
    const client = await bed.mesh.call(port, { ip: host });
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    const asked = bed.waypoint.requests.map(({ incoming, peer }) => [incoming.authority, peer.identity]);
    expect(asked).to.deep.equal([[`${host}:${port}`, identity('bank', 'client-sa')]]);
  };

  const bindings = [
    ['by the address of its workload', address],
    ['by the hostname of its service', gateway],
    ['by the hostname of its workload', hostname],
  ] as const;
  for (const [how, waypoint] of bindings) {
    it(`from callers of a service that names it ${how}`, async () => {
      bed.mesh.push({ services: [bed.service({ waypoint })] });
      await ask(80, vip);
    });

    it(`from callers of a workload that names it ${how}`, async () => {
      bed.push({ server: { waypoint } });
      bed.unbind();
      bed.mesh.push({ workloads: [{ ...bed.waypoint.workload, hostname: 'wp.example' }] });
      await ask(bed.app.port, serverIp);
    });
  }
});
