import net from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { authorization, identity, ip, match, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { Metrics } from '../../src/admin/metrics.ts';
import { Connections } from '../../src/path/connections.ts';
import { SocksPath } from '../../src/path/socks.ts';
import { noSpans } from '../../src/path/connection-spans.ts';
import { Application, bounded, read, untilEnd } from './applications.ts';
import { MeshBed, clientIp, serverIp, serverSpec } from './mesh-bed.ts';

const naming = { clusterDomain: 'cluster.local', preferredNamespace: '', ipv6: true };
const vip = '127.0.78.1';
const nobody = authorization({
  name: 'nobody',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'presence' }] })] }] }],
});

const greeting = Buffer.from([5, 1, 0]);
const portOf = (port: number): readonly number[] => [port >> 8, port & 255];
const toIp4 = (address: string, port: number): Buffer =>
  Buffer.from([5, 1, 0, 1, ...address.split('.').map(Number), ...portOf(port)]);
const toName = (name: string, port: number): Buffer =>
  Buffer.from([5, 1, 0, 3, name.length, ...Buffer.from(name), ...portOf(port)]);

/** A reply by its code. */
const reply = (code: number): string => Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]).toString('hex');
const greeted = '0500';

describe('a connection asked for by SOCKS5', () => {
  let bed: MeshBed;
  let app: Application;
  beforeEach(async () => {
    bed = await MeshBed.create({ socks: naming });
    app = await Application.echo(serverIp);
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  /** All that the client is told, in hexadecimal, when it says this and no more. */
  async function told(...said: readonly Uint8Array[]): Promise<string> {
    const client = await bed.callSocks();
    client.end(Buffer.concat(said));
    return (await untilEnd(client)).data.toString('hex');
  }

  it('goes through the tunnel to an address, and is logged and counted as a captured one, without what was said to ask for it', async () => {
    const client = await bed.callSocks();
    const { localPort } = client;
    client.write(greeting);
    expect(Buffer.from(await read(client, 2), 'latin1').toString('hex')).to.equal(greeted);
    client.write(toIp4(serverIp, app.port));
    expect(Buffer.from(await read(client, 10), 'latin1').toString('hex')).to.equal(reply(0));
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    expect(await bed.complete('outbound')).to.include({
      'src.addr': `${clientIp}:${localPort}`,
      'src.identity': identity('bank', 'client-sa'),
      'dst.addr': `${serverIp}:15008`,
      'dst.hbone_addr': `${serverIp}:${app.port}`,
      bytes_sent: 8,
      bytes_recv: 8,
    });
  });

  it('takes all that is said at once, and hands on what is behind the request', async () => {
    const hello = Buffer.from('hello').toString('hex');
    expect(await told(greeting, toIp4(serverIp, app.port), Buffer.from('hello'))).to.equal(greeted + reply(0) + hello);
    expect(await bed.complete('inbound')).to.include({ bytes_recv: 5, bytes_sent: 5 });
  });

  it('takes what is said a byte at a time', async () => {
    const client = await bed.callSocks();
    for (const byte of Buffer.concat([greeting, toIp4(serverIp, app.port), Buffer.from('x')])) {
      client.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.end();
    expect((await untilEnd(client)).data.toString('hex')).to.equal(`${greeted}${reply(0)}78`);
  });

  it('reaches a service by each of its names, as the pod’s DNS proxy would tell them', async () => {
    const ledger = service({ name: 'ledger', addresses: [vip], ports: { 80: 0 } });
    bed.push({ services: [ledger], workloads: [workload({ ...serverSpec, services: { [ledger.key]: { 80: app.port } } })] });
    for (const name of ['ledger', 'ledger.bank', 'Ledger.bank.svc.cluster.local.'])
      expect(await told(greeting, toName(name, 80), Buffer.from('x'))).to.equal(`${greeted}${reply(0)}78`);
    expect(await bed.complete('outbound')).to.include({ 'dst.service': ledger.hostname });
  });

  it('reaches a name that the mesh does not know by the system’s resolver', async () => {
    await using legacy = await Application.echo('127.0.79.3');
    bed.names.set('legacy.example', [ip('127.0.79.3')]);
    expect(await told(greeting, toName('legacy.example', legacy.port), Buffer.from('x'))).to.equal(`${greeted}${reply(0)}78`);
  });

  const refused: readonly [what: string, code: number, ask: () => Buffer | Promise<Buffer>][] = [
    ['a name that nobody knows', 4, () => toName('nowhere.example', 80)],
    [
      'a service without an endpoint',
      4,
      () => (bed.push({ services: [service({ addresses: [vip] })] }), toName('server.bank', 80)),
    ],
    ['a destination whose policy denies it', 2, () => (bed.push({ policies: [nobody] }), toIp4(serverIp, app.port))],
    ['a port of the pod’s own proxy', 2, () => toIp4('127.0.0.1', 15_001)],
    ['its own listener', 2, () => toIp4('127.0.0.1', 15_080)],
    ['a port outside the mesh where nobody listens', 5, () => toIp4('127.0.79.4', 1)],
    ['a port behind the tunnel where nobody listens', 5, () => toIp4(serverIp, 1)],
    ['a proxy that is not there', 4, () => (bed.ports.set(`${serverIp}:15008`, 1), toIp4(serverIp, app.port))],
    ['BIND', 7, () => Buffer.from([5, 2, 0, 1, 127, 0, 0, 1, 0, 80])],
    ['an unknown type of address', 8, () => Buffer.from([5, 1, 0, 9, 0, 0, 0, 0])],
  ];
  for (const [what, code, ask] of refused)
    it(`is refused with ${code} for ${what}`, async () => {
      expect(await told(greeting, await ask())).to.equal(greeted + reply(code));
      expect(app.connections).to.have.length(0);
    });

  it('is refused with a word where the client insists on a password, and without one where it speaks no SOCKS5', async () => {
    expect(await told(Buffer.from([5, 1, 2]))).to.equal('05ff');
    expect(await told(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).to.equal('');
    expect((await bed.line((line) => /version 71/.test(String(line['error']))))['error']).to.match(
      /not a request that SOCKS5 is served for/,
    );
    expect(await bed.metrics.registry.metrics()).to.match(
      /clearmesh_denials_total\{direction="outbound",reason="bad-request"[^}]*\} 2/,
    );
  });

  it('is over when the client ends before it has asked', async () => {
    expect(await told(greeting)).to.equal(greeted);
    expect((await bed.failed('outbound'))['error']).to.match(/ended before it had asked/);
    expect(bed.client.path.connections.size).to.equal(0);
  });

  it('S4 is waited for by a drain that began while it was asked for', async () => {
    const client = await bed.callSocks();
    client.write(greeting);
    await read(client, 2);
    const { drain } = bed.client;
    drain.begin(10_000);
    const ended = drain.done.then(() => 'drained');
    client.write(toIp4(serverIp, app.port));
    expect(await Promise.race([ended, read(client, 10).then((told) => Buffer.from(told, 'latin1').toString('hex'))])).to.equal(
      reply(0),
    );
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    expect(await drain.done).to.deep.equal({ forced: false, cut: [] });
  });

  it('is cut while it is asked for, when a drain is at its end', async () => {
    const client = await bed.callSocks();
    client.write(greeting);
    await read(client, 2);
    expect(bed.client.path.connections.size).to.equal(1);
    bed.client.drain.force();
    await untilEnd(client);
    expect(bed.client.path.connections.size).to.equal(0);
  });
});

describe('a client of SOCKS5 that says nothing', () => {
  it('is closed after 10 s, and nothing of it is left', async () => {
    const clock = new FakeClock();
    await using server = await Application.listen('127.0.0.1', () => {});
    const client = net.connect({ host: '127.0.0.1', port: server.port });
    await once(client, 'connect');
    while (server.connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const drain = new Drain({ clock: systemClock });
    const connections = new Connections({ drain, clock });
    const path = new SocksPath(
      { pod: { namespace: 'bank', name: 'client', serviceAccount: 'client-sa' }, naming },
      {
        connections,
        snapshots: {
          current: undefined as never,
          awaitWorkload: async () => undefined,
          awaitGuardedWorkload: async () => undefined,
        } as never,
        lookUp: async () => [],
        random: new FakeRandom([0]),
        metrics: new Metrics({ version: 'test' }, { clock }),
        log: silentLogger,
        lines: { isWanted: () => true },
        spans: noSpans,
        failures: { recvFailure: () => {} },
        clock,
      },
      { carryAsked: () => expect.fail('nothing was asked for') },
    );
    const socket = server.connections[0]!;
    const carried = path.carry({ socket, remote: socketAddress('127.0.0.1:1'), local: socketAddress('127.0.0.1:15080') });
    const ended = untilEnd(client);
    clock.advance(9_999);
    expect([connections.size, socket.destroyed]).to.deep.equal([1, false]);
    clock.advance(1);
    await bounded(carried, 'the end');
    expect((await ended).data.length).to.equal(0);
    expect([connections.size, clock.pendingTimers]).to.deep.equal([0, 0]);
  });
});
