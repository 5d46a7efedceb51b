/** Workloads of a waypoint that come and go while connections are opened through it. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { untilEnd } from './applications.ts';
import { WaypointBed, vip, waypointPod } from './waypoint-bed.ts';
import { WaypointPeer } from './waypoint-peer.ts';

describe('a waypoint of several workloads', () => {
  let bed: WaypointBed;
  beforeEach(async () => {
    bed = await WaypointBed.create();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  async function answer(text: string): Promise<string> {
    const client = await bed.mesh.call(80, { ip: vip });
    client.end(text);
    return (await untilEnd(client)).data.toString();
  }

  function another(index: number): WaypointPeer {
    const peer = new WaypointPeer(waypointPod(index), bed.mesh);
    peer.endpoint = bed.waypoint.endpoint;
    bed.mesh.push({ workloads: [peer.workload] });
    return peer;
  }

  it('is passed by a workload that listens when the drawn one does not', async () => {
    bed.mesh.push({ workloads: [waypointPod(1), waypointPod(2)] });
    const texts = Array.from({ length: 16 }, (_, index) => `connection ${index}`);
    expect(await Promise.all(texts.map(answer))).to.deep.equal(texts);
    expect(bed.waypoint.requests).to.have.length(16);
    const line = await bed.mesh.line(({ message }) => message === 'waypoint not reached, another workload of it is tried');
    expect(line).to.include({ level: 'warn', direction: 'outbound', 'dst.service': 'server.bank.svc.cluster.local' });
    expect(line['dst.addr']).to.match(/^127\.0\.77\.1[12]:15008$/);
    expect(line['error']).to.match(/ECONNREFUSED/);
    expect(await bed.mesh.metrics.registry.metrics()).to.match(/^clearmesh_gateway_retries_total [1-9]/m);
  });

  it('names the workload that was reached in the log', async () => {
    bed.mesh.push({ workloads: [waypointPod(1), waypointPod(2)] });
    for (let count = 0; count < 8; count++) await answer('x');
    const lines = bed.mesh.log.filter((line) => line['message'] === 'connection complete' && line['direction'] === 'outbound');
    expect(new Set(lines.map((line) => `${line['dst.addr']} ${line['dst.workload']}`))).to.deep.equal(
      new Set(['127.0.77.10:15008 waypoint-0']),
    );
  });

  it('is tried at three workloads and no more, and never gone around', async () => {
    bed.mesh.push({ removed: [bed.waypoint.workload.uid] });
    bed.mesh.push({ workloads: [1, 2, 3, 4].map((index) => waypointPod(index)) });
    expect(await answer('lost')).to.equal('');
    expect((await bed.mesh.complete('outbound'))['error']).to.match(/connecting to 127\.0\.77\.1\d:15008 failed/);
    expect(await bed.mesh.metrics.registry.metrics()).to.match(/^clearmesh_gateway_retries_total 2$/m);
    expect(bed.app.connections).to.have.length(0);
  });

  it('loses no connection while one of two workloads is replaced', async () => {
    await using old = another(1);
    const answers: Promise<string>[] = [];
    const batch = async (): Promise<void> => {
      for (let count = 0; count < 20; count++) answers.push(answer(`connection ${answers.length}`));
      await new Promise((resolve) => setImmediate(resolve));
    };
    await batch();
    await Promise.all(answers);
    expect(old.requests.length, 'it took its share').to.be.greaterThan(0);
    // It stops first, and the mesh hears of it later.
    old.retire();
    await batch();
    await using fresh = another(2);
    await batch();
    await Promise.all(answers);
    bed.mesh.push({ removed: [old.workload.uid] });
    await batch();
    expect(await Promise.all(answers)).to.deep.equal(answers.map((_, index) => `connection ${index}`));
    expect(fresh.requests.length).to.be.greaterThan(0);
  });

  it('is not asked twice when it answers, whatever it says', async () => {
    await using other = another(1);
    for (const waypoint of [bed.waypoint, other]) waypoint.endpoint = 'nonsense';
    expect(await answer('x')).to.equal('');
    expect(bed.waypoint.requests.length + other.requests.length).to.equal(1);
    expect(await bed.mesh.complete('outbound')).to.include({ error: 'http status: 503 Service Unavailable' });
  });
});
