/** A whole waypoint that is the gateway of its network as well. */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { until } from '../eventually.ts';
import { WaypointBed, ledger, payments } from '../waypoint-bed.ts';

const free = { ...ledger, hostname: 'free.ledger.svc.cluster.local', name: 'free' };

function open(stream: Duplex | number): Duplex {
  if (typeof stream === 'number') throw new Error(`CONNECT answered ${stream}`);
  return stream.on('error', () => {});
}

describe('a waypoint that is the gateway of its network', () => {
  it('passes hostnames on, and goes on with addresses as every waypoint', async () => {
    await using bed = await WaypointBed.open({ networkGateway: true });
    await bed.addEndpoint(
      'ledger-0',
      net.createServer((socket) => socket.end('from the ledger')),
    );
    bed.push({}, [ledger]);
    const passed = open(await bed.connect(payments, `${ledger.hostname}:8080`));
    // Bytes that are no TLS: the endpoint's proxy, which nobody looks into here, ends the connection.
    passed.resume().end('no handshake');
    await new Promise((resolve) => passed.once('close', resolve));
    expect(await bed.connect(payments, 'unknown.example:80')).to.equal(503);
    expect(await bed.connect(payments, '10.96.0.99:80')).to.equal(421);
    open(await bed.connect()).destroy();
  });

  it('waits for what it passes on when it drains, and cuts it at the deadline', async () => {
    await using bed = await WaypointBed.open({ networkGateway: true });
    await bed.addEndpoint('ledger-0', net.createServer());
    bed.push({}, [ledger]);
    const passed = open(await bed.connect(payments, `${ledger.hostname}:8080`));
    let closed = false;
    passed.resume().once('close', () => (closed = true));
    const drained = bed.plane.drain(400);
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).to.equal(false);
    await drained;
    await until(() => closed);
  });

  it('takes no hostname that is not asked for: without the option it is its own services’ alone', async () => {
    await using bed = await WaypointBed.open();
    bed.push({}, [ledger, free]);
    expect(await bed.connect(payments, `${free.hostname}:8080`)).to.equal(421);
  });
});
