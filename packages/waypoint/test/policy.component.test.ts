import { expect } from 'chai';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { OpaEngine, OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { buildBundle, startOpa, temporaryDirectory } from './authorise/opa-binary.ts';
import type { OpaServer } from './authorise/opa-binary.ts';
import { createIssuer } from './authorise/issuer.ts';
import { ask } from './http-client.ts';
import type { Reply } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import type { LedgerSpec } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import type { NamedEcho, Seen } from './named-echo.ts';
import { analytics, payments, WaypointBed } from './waypoint-bed.ts';

type Span = { readonly name: string; readonly kind: string; readonly attributes: Readonly<Record<string, unknown>> };

const rego = `package envoy.authz
default allow := {"allowed": false, "body": "nobody said yes", "http_status": 403}
allow := {"allowed": true, "headers": {"x-decided": "opa"}} if {
  input.attributes.source.principal == "${payments}"
  input.attributes.request.http.method == "GET"
}
allow := {"allowed": true} if {
  input.attributes.request.http.method == "POST"
  not input.truncated_body
  input.parsed_body.approver != input.parsed_body.author
}`;

const only = (rules: L7AuthorizationPolicy['rules'], action: 'ALLOW' | 'DENY' = 'ALLOW'): L7AuthorizationPolicy => ({
  key: `AuthorizationPolicy ledger/${action.toLowerCase()}`,
  namespace: 'ledger',
  action,
  dryRun: false,
  rules,
});

describe('policies at a waypoint', () => {
  let receiver: ChildProcess;
  let collector: string;
  let bed: WaypointBed;
  let app: NamedEcho;
  let opa: OpaServer;
  let bundle: string;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

  before(async function () {
    this.timeout(300_000);
    const main = join(import.meta.dirname, '../../cli/src/trace-receiver/main.ts');
    receiver = spawn(process.execPath, [main, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (receiver.stdout === null) throw new Error('no output');
    const [line] = (await once(receiver.stdout, 'data')) as [Buffer];
    collector = String(line).trim().split(' ').at(-1) ?? '';
    directory = await temporaryDirectory();
    bundle = join(directory.path, 'bundle.tar.gz');
    await buildBundle({ 'p.rego': rego }, 'envoy/authz/allow', bundle);
    opa = await startOpa({ 'p.rego': rego });
  });

  after(async () => {
    receiver.kill();
    await opa[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    const resource = { 'service.name': 'ledger-waypoint' };
    bed = await WaypointBed.open({ tracing: { collector: { url: `${collector}/v1/traces`, resource, batchDelayMs: 20 } } });
    app = namedEcho('ledger-0');
    await bed.addEndpoint('ledger-0', app.server);
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function push(spec: LedgerSpec): Promise<number> {
    expect(bed.push(...ledgerConfiguration(spec))).to.deep.equal([]);
    return bed.door();
  }

  async function spansOf(id: string): Promise<readonly Span[]> {
    for (let round = 0; round < 100; round += 1) {
      const response = await fetch(`${collector}/traces/${id}`);
      const body: unknown = response.ok ? await response.json() : undefined;
      const spans = (Array.isArray(body) ? body : ((body as { spans?: unknown[] } | undefined)?.spans ?? [])) as Span[];
      if (spans.some(({ kind }) => kind === 'server')) return spans;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no trace ${id}`);
  }

  /** A denial explains itself everywhere. */
  async function expectDenied(
    reply: Reply,
    status: number,
    kind: string,
    flag: string,
    policy: string | undefined,
  ): Promise<void> {
    expect(reply.status).to.equal(status);
    expect(reply.headers).to.include({ 'x-mesh-denied': kind, 'x-mesh-outcome': 'not-dispatched' });
    const line = await bed.line(String(reply.headers['x-request-id']));
    expect(line).to.include({ status, flags: flag, attempts: 0, outcome: 'not-dispatched' });
    expect(line['details']).to.be.a('string');
    if (policy !== undefined) expect((line['policy'] as { name: string }).name).to.equal(policy);
    expect(await bed.metrics.registry.metrics()).to.match(new RegExp(`clearmesh_denials_total\\{reason="${kind}"`));
    const spans = await spansOf(String(line['trace_id']));
    expect(spans.length).to.equal(1);
    expect(spans[0]?.attributes).to.include({ 'http.response.status_code': status, 'clearmesh.response_flags': flag });
    if (policy !== undefined) expect(spans[0]?.attributes).to.include({ 'clearmesh.policy': policy });
    expect(app.seen).to.deep.equal([]);
  }

  it('follow a permitted request through answer, log and spans', async () => {
    const reply = await ask(await push({ authorization: [only([{ to: [{ methods: ['GET'] }] }])] }));
    expect(reply.status).to.equal(200);
    const line = await bed.line(String(reply.headers['x-request-id']));
    const spans = await spansOf(String(line['trace_id']));
    expect(spans.map(({ kind }) => kind).sort()).to.deep.equal(['client', 'server']);
    expect((JSON.parse(reply.body) as Seen).headers['traceparent']).to.include(String(line['trace_id']));
  });

  it('deny what an AuthorizationPolicy of layer 7 denies', async () => {
    const rules = [{ to: [{ paths: ['/admin*'] }] }];
    const port = await push({ authorization: [only(rules, 'DENY')] });
    await expectDenied(await ask(port, { path: '/admin/x' }), 403, 'policy-denied', 'RBAC', 'AuthorizationPolicy ledger/deny');
    expect((await ask(port, { path: '/%61dmin' })).status).to.equal(403);
    expect((await ask(port)).status).to.equal(200);
  });

  it('believe no identity of a header', async () => {
    const port = await push({ authorization: [only([{ from: [{ principals: ['cluster.local/ns/payments/sa/payments'] }] }])] });
    const forged = {
      'x-forwarded-client-cert': `URI=${payments}`,
      'x-mesh-caller': payments,
      'x-envoy-external-address': '127.0.0.1',
    };
    await expectDenied(await ask(await bed.door(analytics), { headers: forged }), 403, 'policy-denied', 'RBAC', undefined);
    const seen = JSON.parse((await ask(port, { headers: forged })).body) as Seen;
    for (const name of Object.keys(forged)) expect(seen.headers).to.not.have.property(name);
  });

  it('take tokens of the issuer only, and show their claims to the service', async () => {
    const issuer = await createIssuer('https://login.bank');
    const other = await createIssuer('https://login.bank');
    const rule = {
      issuer: 'https://login.bank',
      audiences: [],
      jwks: issuer.jwks,
      fromHeaders: [],
      fromParams: [],
      forwardOriginalToken: false,
      outputClaimToHeaders: [{ header: 'x-subject', claim: 'sub' }],
    };
    const spec: LedgerSpec = {
      jwt: [{ key: 'RequestAuthentication ledger/login', rules: [rule] }],
      authorization: [only([{ from: [{ requestPrincipals: ['https://login.bank/anna'] }] }])],
    };
    const port = await push(spec);
    const token = async (by: typeof issuer, sub: string): Promise<Record<string, string>> => ({
      authorization: `Bearer ${await by.sign({ sub, exp: Date.now() / 1_000 + 60 })}`,
    });
    const forged = await ask(port, { headers: await token(other, 'anna') });
    await expectDenied(forged, 401, 'jwt-invalid', 'JWT', undefined);
    expect(forged.headers['www-authenticate']).to.match(/^Bearer/);
    await expectDenied(await ask(port), 403, 'policy-denied', 'RBAC', undefined);
    expect((await ask(port, { headers: await token(issuer, 'bert') })).status).to.equal(403);
    const reply = await ask(port, { headers: { ...(await token(issuer, 'anna')), 'x-subject': 'root' } });
    expect(reply.status).to.equal(200);
    const seen = JSON.parse(reply.body) as Seen;
    expect(seen.headers).to.include({ 'x-subject': 'anna' });
    expect(seen.headers).to.not.have.property('authorization');
    expect(JSON.stringify(bed.log)).to.not.include('eyJ');
  });

  const engines: readonly (readonly [what: string, engine: () => OpaEngine])[] = [
    ['a WASM bundle', () => ({ kind: 'wasm', bundle, watchdogMs: 1_000 })],
    ['an OPA server', () => ({ kind: 'server', url: opa.url })],
  ];
  for (const [what, engine] of engines) {
    const policy = (changes: Partial<OpaPolicy> = {}): OpaPolicy => ({
      key: 'OpaPolicy ledger/four-eyes',
      engine: engine(),
      path: 'envoy/authz/allow',
      timeoutMs: 2_000,
      body: { maxBytes: 1_024, allowPartial: true },
      contextExtensions: {},
      ...changes,
    });
    const json = { 'content-type': 'application/json' };

    it(`ask ${what}: who calls, and what the body says`, async () => {
      const port = await push({ opa: [policy()] });
      const allowed = await ask(port);
      expect(allowed.status).to.equal(200);
      expect((JSON.parse(allowed.body) as Seen).headers).to.include({ 'x-decided': 'opa' });
      const line = await bed.line(String(allowed.headers['x-request-id']));
      expect((line['policy'] as { name: string }).name).to.equal('OpaPolicy ledger/four-eyes');
      const booking = { method: 'POST', headers: json };
      const two = JSON.stringify({ author: 'anna', approver: 'bert' });
      expect(JSON.parse((await ask(port, { ...booking, body: two })).body)).to.include({ body: two });
      app.seen.length = 0;
      const denied = await ask(port, { ...booking, body: JSON.stringify({ author: 'anna', approver: 'anna' }) });
      expect(denied.body).to.equal('nobody said yes');
      await expectDenied(denied, 403, 'opa-denied', 'UAEX', 'OpaPolicy ledger/four-eyes');
      const hidden = JSON.stringify({ pad: 'x'.repeat(2_000), author: 'anna', approver: 'bert' });
      expect((await ask(port, { ...booking, body: hidden })).status).to.equal(403);
      expect((await ask(await bed.door(analytics))).status).to.equal(403);
    });

    it(`keep decisions of ${what} for as long as the policy allows`, async () => {
      const { body: _body, ...bare } = policy();
      const port = await push({
        opa: [{ ...bare, cache: { ttlMs: 10_000, inputs: ['attributes.request.http.method', 'attributes.source.principal'] } }],
      });
      // Decisions are kept for one revision, which the first of them learns.
      await ask(port, { method: 'HEAD' });
      const cached: unknown[] = [];
      for (let round = 0; round < 3; round += 1) {
        const reply = await ask(port, { path: `/${round}` });
        expect(reply.status).to.equal(200);
        cached.push((await bed.line(String(reply.headers['x-request-id'])))['policy']);
      }
      expect(cached.map((one) => (one as { cached?: boolean }).cached ?? false)).to.deep.equal([false, true, true]);
      expect((await ask(await bed.door(analytics))).status).to.equal(403);
    });
  }

  it('refuse all when the OPA server hangs', async () => {
    const policy: OpaPolicy = {
      key: 'OpaPolicy ledger/slow',
      engine: { kind: 'server', url: opa.url },
      path: 'envoy/authz/allow',
      timeoutMs: 100,
      contextExtensions: {},
    };
    const port = await push({ opa: [policy] });
    expect((await ask(port)).status).to.equal(200);
    app.seen.length = 0;
    await opa.pause();
    try {
      await expectDenied(await ask(port), 503, 'pdp-unavailable', 'PDP', 'OpaPolicy ledger/slow');
    } finally {
      opa.resume();
    }
  });

  it('refuse all in the name of an OpaPolicy that cannot be read', async () => {
    const policy: OpaPolicy = {
      key: 'OpaPolicy ledger/odd',
      engine: { kind: 'none', reason: 'it cannot be read' },
      path: 'envoy/authz/allow',
      timeoutMs: 100,
      contextExtensions: {},
    };
    const reply = await ask(await push({ opa: [policy] }));
    await expectDenied(reply, 503, 'pdp-unavailable', 'PDP', policy.key);
    expect(reply.body).to.contain('has no decision of OpaPolicy ledger/odd: it cannot be read');
  });

  it('refuse tokens, or all, in the name of a RequestAuthentication that cannot be read', async () => {
    const key = 'RequestAuthentication ledger/login';
    const bearer = { fromHeaders: [], fromParams: [], outputs: [] };
    const port = await push({ jwt: [{ key, unread: [bearer] }] });
    expect((await ask(port)).status).to.equal(200);
    app.seen.length = 0;
    const token = { headers: { authorization: 'Bearer e30.e30.e30' } };
    await expectDenied(await ask(port, token), 401, 'jwt-invalid', 'JWT', key);
    const closed = await ask(await push({ jwt: [{ key, unread: 'all' }] }));
    await expectDenied(closed, 401, 'jwt-invalid', 'JWT', key);
    expect(closed.body).to.contain('RequestAuthentication ledger/login cannot be read, so that nobody knows its tokens');
  });
});
