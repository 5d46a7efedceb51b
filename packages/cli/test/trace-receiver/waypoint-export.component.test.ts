/** What a waypoint's tracing exports, as the receiver shows it: the two ends of OTLP against each other. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { serviceKey } from '@clearmesh/shared/model/names';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import { startTracing } from '@clearmesh/waypoint/telemetry/tracing/start-tracing';
import { plainStyle } from '../../src/terminal/style.ts';
import { TraceReceiver } from '../../src/trace-receiver/receiver-server.ts';
import { TraceStore } from '../../src/trace-receiver/trace-store.ts';
import { renderWaterfall } from '../../src/waterfall/waterfall.ts';

const hostname = 'ledger.bank.svc.cluster.local';
const peer = socketAddress('10.1.0.7:41000');

describe('a waypoint’s spans', () => {
  for (const protocol of ['http/protobuf', 'http/json'] as const) {
    it(`reach the receiver by ${protocol} and are drawn`, async () => {
      const store = new TraceStore();
      await using receiver = await TraceReceiver.listen({ port: 0 }, { store });
      const tracing = await startTracing(
        { collector: { url: `${receiver.url}/v1/traces`, protocol, resource: { 'service.name': 'waypoint' } } },
        { clock: systemClock, random: systemRandom, logger: silentLogger },
      );
      const trace = tracing.tracer.start({
        id: '1',
        caller: { identity: identity('shop', 'web'), address: peer, tls: { protocol: 'TLSv1.3', cipher: '' } },
        called: { key: serviceKey('bank', hostname), hostname, namespace: 'bank', port: 80, address: peer },
        protocol: 'HTTP/1.1',
        grpc: false,
        method: 'POST',
        authority: 'ledger',
        path: '/payments/7',
        query: '',
        headers: {},
        receivedAtMs: systemClock.now(),
        startedMs: systemClock.monotonicMs(),
      });
      const endpoint = { id: '', workload: 'w', name: 'ledger-0', address: peer, protocol: 'HTTP/1.1' };
      trace.startAttempt(endpoint as Parameters<typeof trace.startAttempt>[0], 1).end({ failure: 'connect-failure' });
      trace.end({ status: 503, failure: 'connect-failure', flag: 'UF', route: '/payments' });
      await tracing.shutdown(5_000);

      const spans = store.trace(trace.traceId) ?? [];
      expect(spans.map(({ kind, name, service, status }) => [kind, name, service, status])).to.deep.equal([
        ['server', 'POST /payments', 'waypoint', 'error'],
        ['client', 'POST', 'waypoint', 'error'],
      ]);
      expect(spans[1]?.parentSpanId).to.equal(spans[0]?.spanId);
      const [first = '', second = ''] = renderWaterfall(spans, [], { width: 100, style: plainStyle });
      expect(first).to.include('waypoint POST /payments').and.to.include('✗ 503 connect-fai');
      expect(second).to.include('└ waypoint POST ');
    });
  }
});
