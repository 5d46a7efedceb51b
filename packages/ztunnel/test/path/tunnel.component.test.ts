import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { authorization, identity, match, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import { Application, bounded, read, untilEnd } from './applications.ts';
import { MeshBed, clientIp, clientSpec, serverIp, serverSpec } from './mesh-bed.ts';

const clientPrincipal = identity('bank', 'client-sa');
const denyClient = authorization({
  name: 'deny-client',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/client-sa' }] })] }] }],
});

describe('a connection through the tunnel', () => {
  let bed: MeshBed;
  let app: Application;
  beforeEach(async () => {
    bed = await MeshBed.create();
    app = await Application.echo(serverIp);
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  it('carries bytes both ways, and each end to the other side', async () => {
    const client = await bed.call(app.port);
    client.end('question');
    const { data, end } = await untilEnd(client);
    expect([data.toString(), end]).to.deep.equal(['question', 'fin']);
  });

  it('shows the application the address of the client', async () => {
    const client = await bed.call(app.port);
    client.write('x');
    await read(client, 1);
    expect(app.connections[0]?.remoteAddress).to.equal(clientIp);
  });

  it('logs both ends with what they proved, and counts bytes from each point of view', async () => {
    const client = await bed.call(app.port);
    client.end('question');
    await untilEnd(client);
    const common = {
      level: 'info',
      'src.workload': 'client',
      'src.identity': clientPrincipal,
      'dst.workload': 'server',
      'dst.identity': identity('bank', 'server-sa'),
      'dst.hbone_addr': `${serverIp}:${app.port}`,
      bytes_sent: 8,
      bytes_recv: 8,
    };
    expect(await bed.complete('outbound')).to.include({ ...common, 'dst.addr': `${serverIp}:15008` });
    expect(await bed.complete('inbound')).to.include(common);
    expect(await bed.metrics.registry.metrics()).to.match(
      /istio_tcp_received_bytes_total\{reporter="destination",source_workload="client",[^}]*connection_security_policy="mutual_tls"[^}]*\} 8/,
    );
  });

  it('lets the server speak first and the client answer after the server’s end', async () => {
    const answers: Promise<string>[] = [];
    await using greeter = await Application.listen(serverIp, (socket) => {
      socket.end('greeting');
      answers.push(untilEnd(socket).then(({ data }) => data.toString()));
    });
    const client = await bed.call(greeter.port);
    expect((await untilEnd(client)).data.toString()).to.equal('greeting');
    client.end('late answer');
    expect(await bounded(answers[0]!, 'the answer')).to.equal('late answer');
    expect(await bed.complete('outbound')).to.include({ bytes_sent: 11, bytes_recv: 8 });
  });

  it('carries 8 MiB up and down unchanged', async () => {
    const sent = randomBytes(8 * 1024 * 1024);
    const client = await bed.call(app.port);
    client.end(sent);
    const { data } = await untilEnd(client);
    expect(data.length).to.equal(sent.length);
    expect(createHash('sha256').update(data).digest('hex')).to.equal(createHash('sha256').update(sent).digest('hex'));
  });

  it('carries many connections at a time over one tunnel, and leaves none behind', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => `connection ${index}`);
    const ends = await Promise.all(
      texts.map(async (text) => {
        const client = await bed.call(app.port);
        client.end(text);
        return (await untilEnd(client)).data.toString();
      }),
    );
    expect(ends).to.deep.equal(texts);
    await bed.line(() => bed.log.filter(({ message }) => message === 'connection complete').length === 80);
    expect([bed.client.path.connections.size, bed.client.path.connections.summaries('outbound').length]).to.deep.equal([0, 0]);
  });

  it('ends the client’s connection in order when the application resets', async () => {
    await using rude = await Application.listen(serverIp, (socket) => socket.once('data', () => socket.resetAndDestroy()));
    const client = await bed.call(rude.port);
    client.write('hello');
    expect((await untilEnd(client)).end).to.equal('fin');
  });

  it('ends the application’s connection in order when the client resets', async () => {
    const client = await bed.call(app.port);
    client.write('x');
    await read(client, 1);
    const end = untilEnd(app.connections[0]!);
    client.resetAndDestroy();
    expect((await end).end).to.equal('fin');
    expect(await bed.complete('outbound')).not.to.have.property('error');
  });

  it('shows both ends in the dump while it is open', async () => {
    const client = await bed.call(app.port);
    client.write('x');
    await read(client, 1);
    expect(bed.client.path.connections.summaries('outbound')).to.deep.equal([
      {
        src: `${clientIp}:${client.localPort}`,
        originalDst: `${serverIp}:${app.port}`,
        actualDst: `${serverIp}:15008`,
        protocol: 'HBONE',
      },
    ]);
    expect(bed.server.path.connections.summaries('inbound')).to.have.length(1);
  });

  describe('that policy denies', () => {
    it('closes the client’s socket and names the policy, the rule and both identities', async () => {
      bed.push({ policies: [denyClient] });
      const client = await bed.call(app.port);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(app.connections).to.have.length(0);
      const inbound = await bed.complete('inbound');
      expect(inbound).to.include({ level: 'error', policy: 'bank/deny-client', rule: 0 });
      expect(inbound['error']).to.match(/^connection closed due to policy rejection: .*client-sa.*server-sa.*bank\/deny-client/);
      expect(await bed.complete('outbound')).to.include({ error: 'http status: 401 Unauthorized' });
      expect(await bed.metrics.registry.metrics()).to.match(
        /clearmesh_denials_total\{direction="inbound",reason="explicit-deny",policy="bank\/deny-client",response_flags="DENY"\} 1/,
      );
    });

    it('is cut while open when the policy comes later', async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      const ends = [untilEnd(client), untilEnd(app.connections[0]!)];
      bed.push({ policies: [denyClient] });
      await Promise.all(ends);
      expect((await bed.complete('inbound'))['error']).to.match(/^connection closed due to policy change/);
      expect(await bed.metrics.registry.metrics()).to.match(
        /istio_tcp_connections_closed_total\{reporter="destination"[^}]*response_flags="DENY"[^}]*\} 1/,
      );
    });

    it('stays open when a policy changes that does not concern it', async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      bed.push({ policies: [{ ...denyClient, dryRun: true }] });
      client.end('y');
      expect((await untilEnd(client)).data.toString()).to.equal('y');
    });
  });

  describe('that cannot be delivered', () => {
    it('is closed with 503 when the application does not listen', async () => {
      const { port } = app;
      await app[Symbol.asyncDispose]();
      const client = await bed.call(port);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(await bed.complete('outbound')).to.include({ error: 'http status: 503 Service Unavailable' });
      expect((await bed.complete('inbound'))['error']).to.match(
        new RegExp(`connection to ${serverIp}:${port} failed: .*ECONNREFUSED`),
      );
    });

    const rejected: readonly [string, string, number, RegExp][] = [
      ['an address that is not the pod’s', '127.0.77.3:80', 400, /ip mismatch/],
      ['a port of the proxy', `${serverIp}:15006`, 503, /15006 is never a target/],
      ['a name nobody has', 'nobody.bank.svc.cluster.local:80', 503, /nobody\.bank/],
      ['no port', serverIp, 400, /no valid authority/],
    ];
    for (const [title, authority, status, reason] of rejected) {
      it(`answers ${status} to an authority with ${title}`, async () => {
        const target = {
          sourceIdentity: clientPrincipal,
          acceptedPeers: [identity('bank', 'server-sa')],
          address: socketAddress(`${serverIp}:15008`),
          sourceIp: socketAddress(`${clientIp}:1`).ip,
        };
        const outcome = await bed.client.path.dialer.dial(target, { authority, headers: {} }, new AbortController().signal);
        expect(outcome).to.include({ kind: 'refused', status });
        expect((await bed.failed('inbound'))['error']).to.match(reason);
      });
    }

    it('is closed without a tunnel when the peer proves another identity than expected', async () => {
      bed.push({
        workloads: [workload({ ...serverSpec, name: 'impostor', serviceAccount: 'other-sa' })],
        removed: ['Kubernetes//Pod/bank/server'],
      });
      bed.push({ workloads: [workload(clientSpec)] });
      const client = await bed.call(app.port);
      const ended = untilEnd(client);
      await new Promise((resolve) => setImmediate(resolve));
      bed.push({ workloads: [workload({ ...serverSpec, addresses: ['127.0.77.99'] })] });
      expect((await ended).data.length).to.equal(0);
      expect((await bed.complete('outbound'))['error']).to.match(/server-sa/);
    });

    it('is closed after 5 s when the control plane does not know its pod', async () => {
      bed.push({ removed: ['Kubernetes//Pod/bank/client'] });
      const client = await bed.call(app.port);
      const ended = untilEnd(client);
      while (bed.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
      bed.clock.advance(5_000);
      await ended;
      expect((await bed.failed('outbound'))['error']).to.match(
        /failed to fetch information about local workload: client-sa\.bank/,
      );
    });

    it('is closed when its service has no endpoint', async () => {
      bed.push({ services: [service({ name: 'empty', addresses: ['127.0.78.1'] })] });
      const client = await bed.call(80, { ip: '127.0.78.1' });
      await untilEnd(client);
      expect(await bed.failed('outbound')).to.include({ level: 'warn', 'dst.addr': '127.0.78.1:80' });
    });
  });

  it('reaches a service by its VIP and names it at both ends', async () => {
    const backing = service({ addresses: ['127.0.78.1'], ports: { 80: app.port } });
    const endpoint = { ...serverSpec, services: { [backing.key]: { 80: app.port } } };
    bed.push({ services: [backing], workloads: [workload(endpoint)] });
    const client = await bed.call(80, { ip: '127.0.78.1' });
    client.end('hi');
    expect((await untilEnd(client)).data.toString()).to.equal('hi');
    expect(await bed.complete('outbound')).to.include({ 'dst.service': backing.hostname });
    expect(await bed.complete('inbound')).to.include({ 'dst.service': backing.hostname });
  });

  it('answers with the destination’s baggage, unless told not to', async () => {
    const target = {
      sourceIdentity: clientPrincipal,
      acceptedPeers: [identity('bank', 'server-sa')],
      address: socketAddress(`${serverIp}:15008`),
      sourceIp: socketAddress(`${clientIp}:1`).ip,
    };
    const ask = (from: MeshBed): Promise<DialOutcome> =>
      from.client.path.dialer.dial(target, { authority: `${serverIp}:${app.port}`, headers: {} }, new AbortController().signal);
    expect(await ask(bed))
      .to.include({ kind: 'open' })
      .and.to.have.property('baggage')
      .that.includes('k8s.namespace.name=bank');
    await using silent = await MeshBed.create({ responseBaggage: false });
    expect(await ask(silent))
      .to.include({ kind: 'open' })
      .and.to.not.have.property('baggage');
  });

  it('passes an address outside the mesh through in plain text', async () => {
    await using outside = await Application.echo('127.0.79.1');
    const client = await bed.call(outside.port, { ip: '127.0.79.1' });
    client.end('plain');
    expect((await untilEnd(client)).data.toString()).to.equal('plain');
    const line = await bed.complete('outbound');
    expect(line).to.include({ 'dst.addr': `127.0.79.1:${outside.port}` });
    expect(line).not.to.have.any.keys('src.identity', 'dst.hbone_addr', 'dst.workload');
  });

  describe('while the pod drains', () => {
    it('goes on and may finish', async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      bed.server.drain.begin(60_000);
      client.end('y');
      expect((await untilEnd(client)).data.toString()).to.equal('y');
      expect(await bounded(bed.server.drain.done, 'the drain')).to.deep.include({ forced: false });
    });

    it('is cut when the drain is forced, at both ends', async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      const ends = [untilEnd(client), untilEnd(app.connections[0]!)];
      bed.server.drain.begin(60_000);
      bed.server.drain.force();
      await Promise.all(ends);
      expect((await bed.server.drain.done).cut.length).to.be.greaterThan(0);
      expect(await bed.complete('inbound')).to.include({ error: 'connection closed due to connection drain' });
    });
  });

  it('is not disturbed by rubbish sent to the tunnel’s port', async () => {
    const rubbish = net.connect({ host: serverIp, port: bed.server.listeners.tunnel.port ?? 0 });
    rubbish.on('error', () => {});
    await once(rubbish, 'connect');
    rubbish.write(randomBytes(4_096));
    await bed.failed('inbound');
    rubbish.destroy();
    const client = await bed.call(app.port);
    client.end('still fine');
    expect((await untilEnd(client)).data.toString()).to.equal('still fine');
  });
});
