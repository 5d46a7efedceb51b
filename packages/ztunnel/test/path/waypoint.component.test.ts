/** A destination behind a required waypoint: the ways to it, and on whose behalf the waypoint comes (C8). */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { authorization, identity, match, service, workload } from '@clearmesh/shared/testing/builders';
import { Application, read, untilEnd } from './applications.ts';
import { clientSpec, serverIp, serverSpec } from './mesh-bed.ts';
import { WaypointBed, gateway, vip } from './waypoint-bed.ts';
import { dialServer } from './waypoint-peer.ts';

const clientId = identity('bank', 'client-sa');
const waypointId = identity('bank', 'waypoint-sa');
const principal = (value: string) => [{ clauses: [{ matches: [match({ principals: [{ kind: 'exact', value }] })] }] }];
const allowClient = authorization({ name: 'allow-client', rules: principal('cluster.local/ns/bank/sa/client-sa') });
const allowPayments = authorization({ name: 'allow-payments', rules: principal('cluster.local/ns/bank/sa/payments') });
const denyClient = authorization({ name: 'deny-client', action: 'DENY', rules: principal('cluster.local/ns/bank/sa/client-sa') });
const traceparent = (flags: string) => `00-2386bc7b5c9cd0c58f7086161f3407dd-43307e7129c3c069-${flags}`;

describe('a destination behind a required waypoint', () => {
  let bed: WaypointBed;
  beforeEach(async () => {
    bed = await WaypointBed.create();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  /** What a client got, and that the application heard of nobody. */
  async function nothing(calling: ReturnType<WaypointBed['mesh']['call']>): Promise<void> {
    const client = await calling;
    client.end('payment');
    expect((await untilEnd(client)).data.length).to.equal(0);
    expect(bed.app.connections).to.have.length(0);
  }

  const denials = async (): Promise<string> =>
    (await bed.mesh.metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('clearmesh_denials'))
      .join('\n');

  it('is reached by the service’s address through the waypoint', async () => {
    const client = await bed.mesh.call(80, { ip: vip });
    client.end('question');
    expect((await untilEnd(client)).data.toString()).to.equal('question');
    expect(bed.waypoint.requests.map(({ incoming, peer }) => [incoming.authority, peer.identity])).to.deep.equal([
      [`${vip}:80`, clientId],
    ]);
  });

  describe('is not reached around it', () => {
    for (const [what, remove] of [
      ['has no workload left', true],
      ['has no ready workload', false],
    ] as const) {
      it(`by the service’s address when the waypoint ${what}`, async () => {
        const { uid } = bed.waypoint.workload;
        if (remove) bed.mesh.push({ removed: [uid] });
        else bed.mesh.push({ workloads: [{ ...bed.waypoint.workload, status: 'UNHEALTHY' }] });
        await nothing(bed.mesh.call(80, { ip: vip }));
        expect((await bed.mesh.failed('outbound'))['error']).to.match(/waypoint bank\/waypoint\..* is not available/);
        expect(await denials()).to.match(/reason="waypoint-unavailable",policy="",response_flags="NWP"\} 1/);
      });
    }

    it('by the pod’s address, and the refusal names the service, the waypoint and who came', async () => {
      await nothing(bed.mesh.call(bed.app.port));
      const line = await bed.mesh.complete('inbound');
      expect(line['error']).to.equal(
        `connection closed due to policy rejection: ${clientId} from 127.0.77.1 may not reach ${identity('bank', 'server-sa')} at ${serverIp}:${bed.app.port} without its waypoint: service bank/server.bank.svc.cluster.local requires waypoint bank/waypoint.bank.svc.cluster.local:15008`,
      );
      expect((await bed.mesh.complete('outbound'))['error']).to.equal(
        `http status: 421 Misdirected Request: ${serverIp}:${bed.app.port} of service bank/server.bank.svc.cluster.local takes connections from its waypoint only: service bank/server.bank.svc.cluster.local requires waypoint bank/waypoint.bank.svc.cluster.local:15008; call the service by its own address`,
      );
      expect(await denials()).to.match(/direction="inbound",reason="waypoint-bypass",policy="",response_flags="DENY"\} 1/);
    });

    it('by the pod’s address when the workload is bound and the waypoint gone', async () => {
      bed.push({ server: { waypoint: gateway } });
      bed.mesh.push({ removed: [bed.waypoint.workload.uid] });
      await nothing(bed.mesh.call(bed.app.port));
      expect((await bed.mesh.failed('outbound'))['error']).to.match(/waypoint .* is not available/);
    });

    it('by a pod’s address of a headless service', async () => {
      bed.push({ service: { addresses: [] } });
      await nothing(bed.mesh.call(bed.app.port));
      expect((await bed.mesh.complete('inbound'))['error']).to.match(/requires waypoint/);
    });

    it('from another network', async () => {
      bed.push({ server: { network: 'far' }, service: { waypoint: gateway } });
      bed.mesh.push({ workloads: [{ ...bed.waypoint.workload, network: 'far' }] });
      await nothing(bed.mesh.call(80, { ip: vip }));
      expect((await bed.mesh.failed('outbound'))['error']).to.match(/the mesh names no gateway of that network/);
    });

    it('in plain text, though nothing asks for mTLS', async () => {
      await nothing(bed.mesh.callPlain(bed.app.port));
      expect((await bed.mesh.complete('inbound'))['error']).to.match(
        /plaintext without an identity from 127\.0\.0\.1 .* requires waypoint/,
      );
      expect(await denials()).to.match(/reason="waypoint-bypass"/);
    });

    for (const [what, headers] of [
      ['a forged caller', { caller: waypointId }],
      ['a forwarded header that names the waypoint', { forwarded: 'for="127.0.77.10:1";host=waypoint.bank.svc.cluster.local' }],
      ['baggage that names the waypoint', { baggage: 'k8s.namespace.name=bank,k8s.pod.name=waypoint-0' }],
      ['a forwarded network', { xForwardedNetwork: 'far' }],
    ] as const) {
      it(`by ${what}`, async () => {
        const { dialer } = bed.mesh.client.path;
        const outcome = await dialServer(dialer, workload(clientSpec), bed.waypoint.endpoint, headers);
        expect(outcome).to.include({ kind: 'refused', status: 421 });
        expect(bed.app.connections).to.have.length(0);
      });
    }

    it('by a port that no service declares', async () => {
      await using hidden = await Application.echo(serverIp);
      const client = await bed.mesh.call(hidden.port);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(hidden.connections).to.have.length(0);
    });

    it('by the waypoint of somebody else', async () => {
      const other = workload({ name: 'other-waypoint', serviceAccount: 'other-sa', addresses: ['127.0.77.20'] });
      bed.mesh.push({ workloads: [other] });
      const outcome = await dialServer(bed.mesh.client.path.dialer, other, bed.waypoint.endpoint, { caller: clientId });
      expect(outcome).to.include({ kind: 'refused', status: 421 });
    });
  });

  it('keeps a port open that only unbound services declare', async () => {
    await using open = await Application.echo(serverIp);
    const unbound = service({ name: 'open', addresses: ['127.0.78.2'], ports: { 90: open.port } });
    bed.mesh.push({ services: [unbound] });
    bed.push({ server: { services: { [bed.service().key]: {}, [unbound.key]: {} } } });
    const client = await bed.mesh.call(90, { ip: '127.0.78.2' });
    client.end('direct');
    expect((await untilEnd(client)).data.toString()).to.equal('direct');
  });

  it('lets open connections be when a waypoint is added, and refuses new ones', async () => {
    bed.mesh.push({ services: [service({ addresses: [vip], ports: { 80: bed.app.port } })] });
    const before = await bed.mesh.call(bed.app.port);
    before.write('a');
    await read(before, 1);
    bed.push();
    before.end('b');
    expect((await untilEnd(before)).data.toString()).to.equal('b');
    const after = await bed.mesh.call(bed.app.port);
    expect((await untilEnd(after)).data.length).to.equal(0);
    expect(bed.app.connections).to.have.length(1);
  });

  describe('sees the caller and not the waypoint', () => {
    it('where policy allows the caller by name', async () => {
      bed.mesh.push({ policies: [allowClient] });
      const client = await bed.mesh.call(80, { ip: vip });
      client.end('question');
      expect((await untilEnd(client)).data.toString()).to.equal('question');
      const line = await bed.mesh.complete('inbound');
      expect(line).to.include({ 'src.workload': 'waypoint-0', 'src.identity': waypointId, 'src.caller': clientId });
      expect(await bed.mesh.metrics.registry.metrics()).to.match(
        new RegExp(
          `istio_tcp_received_bytes_total\\{reporter="destination",.*source_principal="${waypointId}".*source_caller="${clientId}".*\\} 8`,
        ),
      );
    });

    it('where policy allows another only, and the denial says both', async () => {
      bed.mesh.push({ policies: [allowPayments] });
      await nothing(bed.mesh.call(80, { ip: vip }));
      const line = await bed.mesh.complete('inbound');
      expect(line['error']).to.contain(`${clientId} by way of ${waypointId} from 127.0.77.10 may not reach`);
      expect(line).to.include({ 'src.identity': waypointId, 'src.caller': clientId });
    });

    it('when a policy comes later, which cuts the connection', async () => {
      const client = await bed.mesh.call(80, { ip: vip });
      client.write('x');
      await read(client, 1);
      const ended = untilEnd(client);
      bed.mesh.push({ policies: [denyClient] });
      await ended;
      expect((await bed.mesh.complete('inbound'))['error']).to.match(/due to policy change: .*client-sa by way of .*waypoint-sa/);
    });

    it('but the waypoint where it names nobody', async () => {
      bed.waypoint.headers = () => ({});
      bed.mesh.push({ policies: [allowClient] });
      await nothing(bed.mesh.call(80, { ip: vip }));
      expect(await bed.mesh.complete('inbound')).not.to.have.property('src.caller');
    });

    for (const [what, caller] of [
      ['no SPIFFE id', 'client-sa'],
      ['nothing', ''],
      ['two callers', `${clientId}, ${clientId}`],
      ['a caller of another trust domain', identity('bank', 'client-sa', 'other.domain')],
    ] as const) {
      it(`and answers 400 when its waypoint names ${what}`, async () => {
        expect(await bed.waypoint.ask({ caller })).to.include({ kind: 'refused', status: 400 });
        expect((await bed.mesh.failed('inbound'))['error']).to.match(/^x-clearmesh-caller of spiffe:.*waypoint-sa /);
        expect(await denials()).to.match(/reason="bad-request"/);
      });
    }
  });

  it('does not hear of a caller from the client’s proxy', async () => {
    const client = await bed.mesh.call(80, { ip: vip });
    client.end('x');
    await untilEnd(client);
    expect(bed.waypoint.requests[0]?.incoming.headers).to.have.all.keys('baggage', 'forwarded', 'traceparent');
  });

  describe('in one trace', () => {
    it('has the trace of the waypoint’s span, and a span of its own below it where it is recorded', async () => {
      bed.waypoint.headers = ({ identity: caller }) => ({ caller, traceparent: traceparent('01') });
      const client = await bed.mesh.call(80, { ip: vip });
      client.end('x');
      await untilEnd(client);
      const line = await bed.mesh.complete('inbound');
      expect(line).to.include({ trace_id: '2386bc7b5c9cd0c58f7086161f3407dd', parent_span_id: '43307e7129c3c069' });
      expect(line['span_id'])
        .to.match(/^[0-9a-f]{16}$/)
        .and.not.to.equal('43307e7129c3c069');
    });

    it('names the trace only where nobody records it', async () => {
      bed.waypoint.headers = () => ({ traceparent: traceparent('00') });
      const client = await bed.mesh.call(80, { ip: vip });
      client.end('x');
      await untilEnd(client);
      const line = await bed.mesh.complete('inbound');
      expect(line)
        .to.include({ trace_id: '2386bc7b5c9cd0c58f7086161f3407dd' })
        .and.not.to.have.any.keys('span_id', 'parent_span_id');
    });

    it('has no trace of what is no traceparent', async () => {
      bed.waypoint.headers = () => ({ traceparent: 'rubbish' });
      const client = await bed.mesh.call(80, { ip: vip });
      client.end('x');
      await untilEnd(client);
      expect(await bed.mesh.complete('inbound')).not.to.have.property('trace_id');
    });

    it('has the client’s trace at the waypoint and in the client’s log', async () => {
      const client = await bed.mesh.call(80, { ip: vip });
      client.end('x');
      await untilEnd(client);
      const line = await bed.mesh.complete('outbound');
      expect(bed.waypoint.requests[0]?.incoming.headers.traceparent).to.contain(`00-${String(line['trace_id'])}-`);
      expect(line).not.to.have.any.keys('span_id', 'parent_span_id');
    });
  });

  describe('that is not behind that peer', () => {
    beforeEach(() =>
      bed.mesh.push({
        services: [service({ addresses: [vip], ports: { 80: bed.app.port } })],
        workloads: [workload(serverSpec)],
      }),
    );

    it('ignores whom a peer speaks for, counts it each time and mentions the peer once', async () => {
      bed.mesh.push({ policies: [allowPayments] });
      const { dialer } = bed.mesh.client.path;
      const forge = () =>
        dialServer(dialer, workload(clientSpec), bed.waypoint.endpoint, { caller: identity('bank', 'payments') });
      expect(await forge()).to.include({ kind: 'refused', status: 401 });
      expect(await forge()).to.include({ kind: 'refused', status: 401 });
      expect(await bed.mesh.complete('inbound'))
        .to.include({ 'src.identity': clientId })
        .and.not.to.have.property('src.caller');
      expect(await bed.mesh.metrics.registry.metrics()).to.match(/^clearmesh_ignored_callers_total 2$/m);
      expect(bed.mesh.policyLog.map((line) => [line['level'], line['src.identity'], line['dst.identity']])).to.deep.equal([
        ['warn', clientId, identity('bank', 'server-sa')],
      ]);
    });

    it('lets the peer in as itself', async () => {
      bed.mesh.push({ policies: [allowClient] });
      const { dialer } = bed.mesh.client.path;
      const outcome = await dialServer(dialer, workload(clientSpec), bed.waypoint.endpoint, { caller: 'anything' });
      expect(outcome.kind).to.equal('open');
      if (outcome.kind === 'open') outcome.stream.destroy();
    });
  });
});
