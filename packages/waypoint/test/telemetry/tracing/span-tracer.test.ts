import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { RequestFacts } from '../../../src/exchange/request-facts.ts';
import type { RequestOutcome, SpanOutcome } from '../../../src/telemetry/tracing/request-trace.ts';
import { endpoint, requestFacts } from '../exchange-facts.ts';
import { spanRecorder } from './span-recorder.ts';

const { UNSET, ERROR } = SpanStatusCode;
const grpc = { grpc: true, method: 'POST', path: '/ledger.v1.Ledger/Balance' } as const;

describe('SpanTracer', () => {
  it('makes a SERVER span for the request and a CLIENT span for each attempt', () => {
    const { tracer, clock, spans } = spanRecorder();
    const trace = tracer.start(requestFacts());
    clock.advance(5);
    const first = trace.startAttempt(endpoint(), 1);
    clock.advance(10);
    first.end({ failure: 'connect-failure' });
    const second = trace.startAttempt(endpoint({ name: 'bank/ledger-1' }), 2);
    clock.advance(20);
    second.end({ status: 200 });
    trace.end({ status: 200, route: '/accounts', flag: '-' });

    const [one, two, server] = spans();
    expect(spans()).to.have.length(3);
    expect([one?.kind, two?.kind, server?.kind]).to.deep.equal([SpanKind.CLIENT, SpanKind.CLIENT, SpanKind.SERVER]);
    expect(one?.parentSpanContext?.spanId).to.equal(server?.spanContext().spanId);
    expect(two?.parentSpanContext?.spanId).to.equal(server?.spanContext().spanId);
    expect([one?.name, server?.name]).to.deep.equal(['GET', 'GET /accounts']);
    expect(one?.attributes).not.to.have.property('http.request.resend_count');
    expect(two?.attributes['http.request.resend_count']).to.equal(1);
    expect(one?.duration).to.deep.equal([0, 10_000_000]);
    expect(server?.startTime).to.deep.equal([Date.UTC(2026, 0, 1) / 1_000, 0]);
    expect(server?.duration).to.deep.equal([0, 35_000_000]);
  });

  it('sends each attempt the id of its own span', () => {
    const { tracer, spans } = spanRecorder();
    const trace = tracer.start(requestFacts());
    const attempts = [1, 2].map((number) => trace.startAttempt(endpoint(), number));
    for (const attempt of attempts) attempt.end({ status: 200 });
    expect(attempts.map(({ headers }) => headers['traceparent']?.split('-')[2])).to.deep.equal(
      spans().map((span) => span.spanContext().spanId),
    );
  });

  it('says of a request what the conventions ask for', () => {
    const { tracer, spans } = spanRecorder();
    tracer.start(requestFacts()).end({ status: 200, route: '/accounts', flag: '-' });
    expect(spans()[0]?.attributes).to.deep.equal({
      'http.request.method': 'GET',
      'url.path': '/accounts/42',
      'url.scheme': 'http',
      'network.peer.address': '10.1.0.7',
      'network.peer.port': 41000,
      'network.protocol.version': '1.1',
      'client.address': '10.1.0.9',
      'server.address': 'ledger.bank.svc.cluster.local',
      'server.port': 8080,
      'user_agent.original': 'web/1.0',
      'http.route': '/accounts',
      'http.response.status_code': 200,
      'clearmesh.caller': 'spiffe://cluster.local/ns/shop/sa/web',
      'clearmesh.request_id': '6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11',
    });
  });

  it('says of an attempt whom it asked', () => {
    const { tracer, spans } = spanRecorder();
    const facts = requestFacts({ authority: 'user:secret-password@ledger.bank:8080' });
    tracer
      .start(facts)
      .startAttempt(endpoint({ protocol: 'HTTP/2' }), 1)
      .end({ status: 201 });
    expect(spans()[0]?.attributes).to.deep.equal({
      'http.request.method': 'GET',
      'url.full': 'http://ledger.bank:8080/accounts/42',
      'network.peer.address': '10.1.0.20',
      'network.peer.port': 8080,
      'network.protocol.version': '2',
      'server.address': 'ledger.bank.svc.cluster.local',
      'server.port': 8080,
      'http.response.status_code': 201,
      'clearmesh.endpoint': 'bank/ledger-0',
    });
  });

  it('keeps query, credentials, cookies and card numbers out of spans (T2)', () => {
    const { tracer, spans } = spanRecorder();
    const trace = tracer.start(
      requestFacts({ path: '/cards/4111111111111111', authority: 'u:secret@ledger', query: 'secret=1' }),
    );
    trace.startAttempt(endpoint(), 1).end({ status: 200 });
    trace.end({ status: 200, flag: '-' });
    const text = JSON.stringify(spans().map(({ name, attributes }) => [name, attributes]));
    expect(text).not.to.match(/secret|DE89|4111111111111111/);
  });

  for (const [name, changes, outcome, server, client, errorType] of [
    ['200', {}, { status: 200 }, UNSET, UNSET, undefined],
    ['404', {}, { status: 404 }, UNSET, ERROR, '404'],
    ['503', {}, { status: 503 }, ERROR, ERROR, '503'],
    ['a failure', {}, { status: 503, failure: 'no-healthy-endpoint' }, ERROR, ERROR, 'no-healthy-endpoint'],
    ['no answer', {}, { failure: 'reset' }, ERROR, ERROR, 'reset'],
    ['a caller that gave up', {}, { status: 499, failure: 'caller-gone' }, UNSET, UNSET, undefined],
    ['gRPC OK', grpc, { status: 200, grpcStatus: 0 }, UNSET, UNSET, undefined],
    ['gRPC PERMISSION_DENIED', grpc, { status: 200, grpcStatus: 7 }, UNSET, ERROR, 'PERMISSION_DENIED'],
    ['gRPC UNAVAILABLE', grpc, { status: 200, grpcStatus: 14 }, ERROR, ERROR, 'UNAVAILABLE'],
  ] as const satisfies readonly (readonly [
    string,
    Partial<RequestFacts>,
    SpanOutcome,
    SpanStatusCode,
    SpanStatusCode,
    string | undefined,
  ])[]) {
    it(`marks ${name} on the right side`, () => {
      const { tracer, spans } = spanRecorder();
      const trace = tracer.start(requestFacts(changes));
      trace.startAttempt(endpoint(), 1).end(outcome);
      trace.end({ ...outcome, flag: '-' } satisfies RequestOutcome);
      const [attempt, request] = spans();
      expect([request?.status.code, attempt?.status.code]).to.deep.equal([server, client]);
      expect(attempt?.attributes['error.type']).to.equal(client === ERROR ? errorType : undefined);
      expect(request?.attributes['error.type']).to.equal(server === ERROR ? errorType : undefined);
    });
  }

  for (const [name, changes, route, span, method] of [
    ['a known method', { method: 'QUERY' }, '/a', 'QUERY /a', ['http.request.method', 'QUERY']],
    ['a request without route', {}, undefined, 'GET', ['http.request.method', 'GET']],
    ['an unknown method', { method: 'BREW' }, '/a', 'HTTP /a', ['http.request.method', '_OTHER']],
    ['an unknown method as it came', { method: 'BREW' }, '/a', 'HTTP /a', ['http.request.method_original', 'BREW']],
    ['gRPC', grpc, '/ledger.v1.Ledger', 'ledger.v1.Ledger/Balance', ['rpc.method', 'ledger.v1.Ledger/Balance']],
    ['gRPC with another path', { ...grpc, path: '/x' }, undefined, 'grpc', ['rpc.method', '_OTHER']],
  ] as const) {
    it(`names the span of ${name} ${span}`, () => {
      const { tracer, spans } = spanRecorder();
      tracer.start(requestFacts(changes)).end({ status: 200, route, flag: '-' });
      expect(spans()[0]?.name).to.equal(span);
      expect(spans()[0]?.attributes[method[0]]).to.equal(method[1]);
    });
  }

  it('says which policy refused a request', () => {
    const { tracer, spans } = spanRecorder();
    tracer.start(requestFacts()).end({ status: 403, failure: 'opa-denied', flag: 'UAEX', policy: 'OpaPolicy ledger/four-eyes' });
    expect(spans()[0]?.attributes).to.include({
      'clearmesh.response_flags': 'UAEX',
      'clearmesh.policy': 'OpaPolicy ledger/four-eyes',
    });
  });

  const ids = `${'a'.repeat(32)}-${'b'.repeat(16)}`;
  for (const [name, headers, ratio, recorded] of [
    ['a new trace', {}, 1, true],
    ['a new trace at ratio 0', {}, 0, false],
    ['a sampled caller at ratio 0', { traceparent: `00-${ids}-01` }, 0, true],
    ['a caller that does not sample', { traceparent: `00-${ids}-00` }, 1, false],
    ['b3 without decision', { b3: ids }, 1, true],
    ['b3 without decision at ratio 0', { b3: ids }, 0, false],
    ['b3: 0', { b3: '0' }, 1, false],
    ['b3: d at ratio 0', { b3: 'd' }, 0, true],
  ] as const) {
    it(`${recorded ? 'records' : 'does not record'} ${name}, attempts included`, () => {
      const { tracer, spans } = spanRecorder({ ratio });
      const trace = tracer.start(requestFacts({ headers }));
      const attempt = trace.startAttempt(endpoint(), 1);
      attempt.end({ status: 200 });
      trace.end({ status: 200, flag: '-' });
      expect(spans()).to.have.length(recorded ? 2 : 0);
      expect(attempt.traceparent).to.match(recorded ? /-01$/ : /-00$/);
    });
  }
});
