import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import { Application, untilEnd } from './applications.ts';
import { MeshBed, clientIp, serverIp, serverSpec } from './mesh-bed.ts';

const clientPrincipal = identity('bank', 'client-sa');

describe('a connection to a workload with an application tunnel', () => {
  let bed: MeshBed;
  beforeEach(async () => {
    bed = await MeshBed.create();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  it('arrives on loopback behind a PROXY header that says who called whom', async () => {
    const heads: Buffer[] = [];
    await using tunnel = await Application.listen('127.0.0.1', (socket) => {
      socket.once('data', (chunk: Buffer) => heads.push(chunk) && socket.end('served'));
    });
    bed.push({ workloads: [workload({ ...serverSpec, applicationTunnel: { protocol: 'PROXY', port: tunnel.port } })] });
    const client = await bed.call(8_443);
    expect((await untilEnd(client)).data.toString()).to.equal('served');
    const [head] = heads;
    expect(head?.subarray(16, 24)).to.deep.equal(Buffer.from([...clientIp.split('.'), ...serverIp.split('.')].map(Number)));
    expect(head?.readUInt16BE(26)).to.equal(8_443);
    expect(head?.subarray(31).toString()).to.equal(clientPrincipal);
  });

  it('arrives at the pod’s address, header and all, where loopback is not wanted', async () => {
    await using bed = await MeshBed.create({ localhostAppTunnel: false });
    const heads: Buffer[] = [];
    const callers: (string | undefined)[] = [];
    await using tunnel = await Application.listen(serverIp, (socket) => {
      callers.push(socket.remoteAddress);
      socket.once('data', (chunk: Buffer) => heads.push(chunk) && socket.end('served'));
    });
    bed.push({ workloads: [workload({ ...serverSpec, applicationTunnel: { protocol: 'PROXY', port: tunnel.port } })] });
    const client = await bed.call(8_443);
    expect((await untilEnd(client)).data.toString()).to.equal('served');
    expect(callers).to.deep.equal([clientIp]);
    expect(heads[0]?.readUInt16BE(26)).to.equal(8_443);
  });

  it('arrives without a header at the pod’s address where no protocol is asked for, from the client’s address', async () => {
    const callers: (string | undefined)[] = [];
    await using tunnel = await Application.listen(serverIp, (socket) => {
      callers.push(socket.remoteAddress);
      socket.pipe(socket);
    });
    bed.push({ workloads: [workload({ ...serverSpec, applicationTunnel: { protocol: 'NONE', port: tunnel.port } })] });
    const client = await bed.call(8_443);
    client.end('as it was sent');
    expect((await untilEnd(client)).data.toString()).to.equal('as it was sent');
    expect(callers).to.deep.equal([clientIp]);
    expect(await bed.complete('outbound')).to.include({ 'dst.hbone_addr': `${serverIp}:8443` });
  });
});
