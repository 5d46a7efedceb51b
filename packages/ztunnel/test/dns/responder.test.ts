import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { LogFields } from '@clearmesh/shared/observe/log';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { addressPush, storeOf } from '@clearmesh/shared/testing/pushes';
import { Metrics } from '../../src/admin/metrics.ts';
import type { Query } from '../../src/dns/message.ts';
import type { Found } from '../../src/dns/other-resolvers.ts';
import { DnsResponder } from '../../src/dns/responder.ts';

import { question, readAnswer, upstreamAnswer } from './messages.ts';

const pod = { name: 'client', namespace: 'bank', serviceAccount: 'default' };
const client = workload({ name: 'client', canonicalName: 'client-app', canonicalRevision: 'v1' });
const services = [
  service({ name: 'ledger', addresses: ['10.96.0.1'] }),
  service({ name: 'many', addresses: Array.from({ length: 300 }, (_, index) => `10.97.${index >> 8}.${index & 255}`) }),
];
const never = new AbortController().signal;

describe('what a pod asks', () => {
  let clock: FakeClock;
  let metrics: Metrics;
  let forward: (query: Query) => Promise<Uint8Array>;
  let found: ((query: Query) => Found) | undefined;
  let logged: LogFields[];
  let unit: number;
  let store: ReturnType<typeof storeOf>;

  beforeEach(() => {
    clock = new FakeClock();
    metrics = new Metrics({ version: 'test' }, { clock });
    forward = () => Promise.reject(new Error('nobody is there'));
    found = undefined;
    logged = [];
    unit = 0;
    store = storeOf({ services, workloads: [client] }, clock);
  });

  const random: Random = { unit: () => unit, hex: (count) => '00'.repeat(count) };
  const create = (options: { readonly maxQuestions?: number } = {}): DnsResponder =>
    new DnsResponder(
      { pod, clusterDomain: 'cluster.local', preferredNamespace: '', ipv6: true, ...options },
      {
        snapshots: store,
        askOthers: (query) => found?.(query) ?? { kind: 'asked', answer: forward(query) },
        metrics: metrics.dns,
        random,
        log: { ...silentLogger, debug: (_message, fields = {}) => void logged.push(fields) },
      },
    );
  const ask = async (message: Buffer, protocol: 'udp' | 'tcp' = 'udp'): Promise<ReturnType<typeof readAnswer> | undefined> => {
    const answer = await create().respond(message, { protocol }, never);
    return answer === undefined ? undefined : readAnswer(answer);
  };
  const series = async (name: string): Promise<readonly string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((text) => text.startsWith(`${name}{`) || text.startsWith(`${name} `));

  it('of the mesh is answered, logged and counted', async () => {
    expect(await ask(question({ name: 'ledger' }))).to.deep.include({ code: 0, answers: ['ledger A 10.96.0.1 30'] });
    expect(logged).to.deep.equal([
      {
        'src.workload': 'client',
        'src.namespace': 'bank',
        query: 'ledger',
        type: 1,
        domain: 'ledger.bank.svc.cluster.local',
        result: 'success',
        endpoints: '10.96.0.1',
      },
    ]);
    expect(await series('istio_dns_requests_total')).to.deep.equal([
      'istio_dns_requests_total{request_query_type="a",request_protocol="udp",source_canonical_service="client-app",source_canonical_revision="v1"} 1',
    ]);
    expect(await series('istio_dns_upstream_requests_total')).to.deep.equal([]);
  });

  it('of the mesh and of a type without address there is answered empty', async () => {
    expect(await ask(question({ name: 'ledger', type: 28 }))).to.deep.include({ code: 0, flags: 'qr aa rd ra', answers: [] });
  });

  const elsewhere: readonly [says: string, message: Buffer, label: string][] = [
    ['the mesh does not know', question({ name: 'www.example.org' }), 'a'],
    ['has another type', question({ name: 'ledger', type: 16 }), 'txt'],
    ['has a type without name', question({ name: 'ledger', type: 4_711 }), 'unknown'],
    ['has another class', question({ name: 'ledger', class: 3 }), 'a'],
    ['is no hostname', question({ name: '' }), 'a'],
  ];
  for (const [says, message, label] of elsewhere) {
    it(`goes to another resolver when it ${says}`, async () => {
      forward = async (query) => {
        await Promise.resolve();
        clock.advance(20);
        return upstreamAnswer(Buffer.from(query.bytes), { address: '9.9.9.9' });
      };
      expect(await ask(message)).to.deep.include({ id: 7, code: 0, flags: 'qr ra' });
      const labels = `request_query_type="${label}",request_protocol="udp",source_canonical_service="client-app",source_canonical_revision="v1"`;
      expect(await series('istio_dns_upstream_requests_total')).to.deep.equal([`istio_dns_upstream_requests_total{${labels}} 1`]);
      expect(await series('istio_dns_upstream_failures_total')).to.deep.equal([]);
      expect(await series('istio_dns_upstream_request_duration_seconds_sum')).to.deep.equal([
        `istio_dns_upstream_request_duration_seconds_sum{${labels}} 0.02`,
      ]);
    });
  }

  for (const kind of ['held', 'shared'] as const) {
    it(`is answered with what another question was told, and is no other one for the resolver: ${kind}`, async () => {
      const other = question({ id: 99, name: 'WWW.example.org' });
      const answer = upstreamAnswer(other, { address: '9.9.9.9' });
      found = () => (kind === 'held' ? { kind, answer } : { kind, answer: Promise.resolve(answer) });
      const told = { id: 7, code: 0, flags: 'qr ra', answers: ['www.Example.org A 9.9.9.9 77'] };
      expect(await ask(question({ name: 'www.Example.org' }))).to.deep.equal(told);
      expect(await series('istio_dns_requests_total')).to.have.lengthOf(1);
      expect(await series('istio_dns_upstream_requests_total')).to.deep.equal([]);
    });
  }

  it('keeps the code of another resolver', async () => {
    forward = async (query) => upstreamAnswer(Buffer.from(query.bytes), { code: 3 });
    expect(await ask(question({ name: 'nothing.example.org' }))).to.deep.include({ code: 3, answers: [] });
  });

  it('fails with SERVFAIL, and is counted, when no other resolver answers', async () => {
    expect(await ask(question({ name: 'www.example.org' }), 'tcp')).to.deep.include({ code: 2, flags: 'qr rd ra' });
    expect(await series('istio_dns_upstream_failures_total')).to.deep.equal([
      'istio_dns_upstream_failures_total{request_query_type="a",request_protocol="tcp",source_canonical_service="client-app",source_canonical_revision="v1"} 1',
    ]);
  });

  it('waits five seconds for word of the pod, and fails with SERVFAIL', async () => {
    store = storeOf({ services }, clock);
    const answer = create().respond(question({ name: 'ledger' }), { protocol: 'udp' }, never);
    clock.advance(4_999);
    expect(store.waiting).to.equal(1);
    clock.advance(1);
    expect(readAnswer((await answer) ?? Buffer.alloc(0)).code).to.equal(2);
    expect(await series('istio_dns_requests_total')).to.deep.equal([
      'istio_dns_requests_total{request_query_type="a",request_protocol="udp",source_canonical_service="unknown",source_canonical_revision="unknown"} 1',
    ]);
  });

  it('is answered when word of the pod comes in time', async () => {
    store = storeOf({ services }, clock);
    const answer = create().respond(question({ name: 'ledger' }), { protocol: 'udp' }, never);
    store.apply(addressPush({ workloads: [client] }));
    expect(readAnswer((await answer) ?? Buffer.alloc(0)).answers).to.deep.equal(['ledger A 10.96.0.1 30']);
  });

  it('is answered in an order that chance gives', async () => {
    const first = async (chance: number): Promise<string | undefined> => (
      (unit = chance),
      (await ask(question({ name: 'many' })))?.answers[0]
    );
    expect([await first(0), await first(0.5)]).to.deep.equal(['many A 10.97.0.0 30', 'many A 10.97.0.150 30']);
  });

  const limits: readonly [says: string, edns: number | undefined, protocol: 'udp' | 'tcp', records: number, flags: string][] = [
    ['to 4,096 bytes without EDNS', undefined, 'udp', 254, 'qr aa tc rd ra'],
    ['to 512 bytes', 512, 'udp', 29, 'qr aa tc rd ra'],
    ['to 4,096 bytes for who takes more', 65_535, 'udp', 253, 'qr aa tc rd ra'],
    ['not over TCP', undefined, 'tcp', 300, 'qr aa rd ra'],
  ];
  for (const [says, edns, protocol, records, flags] of limits) {
    it(`is cut ${says}`, async () => {
      const answer = await ask(question({ name: 'many', ...(edns === undefined ? {} : { edns }) }), protocol);
      expect([answer?.answers.length, answer?.flags]).to.deep.equal([records, flags]);
    });
  }

  for (const name of ['ledger', 'www.example.org']) {
    it(`is refused with BADVERS when its EDNS is of another version: ${name}`, async () => {
      let isForwarded = false;
      forward = () => ((isForwarded = true), Promise.reject(new Error('nobody is there')));
      const refused = { id: 7, flags: 'qr rd ra', code: 16, answers: [], edns: 1_232 };
      expect(await ask(question({ name, edns: 1_232, ednsVersion: 1 }))).to.deep.equal(refused);
      expect(await ask(question({ name, edns: 100, ednsVersion: 255 }))).to.deep.equal({ ...refused, edns: 512 });
      expect(isForwarded).to.equal(false);
    });
  }

  it('fails with its EDNS, too', async () => {
    const failed = await ask(question({ name: 'www.example.org', edns: 1_232, dnssecOk: true }));
    expect(failed).to.deep.equal({ id: 7, flags: 'qr rd ra', code: 2, answers: [], edns: 1_232, dnssecOk: true });
  });

  it('is refused when it is no query', async () => {
    expect(await ask(question({ name: 'ledger', flags: 0x1100 }))).to.deep.equal({ id: 7, flags: 'qr rd', code: 4, answers: [] });
    expect(await ask(question({ name: 'ledger', flags: 0x8100 }))).to.deep.equal({ id: 7, flags: 'qr rd', code: 1, answers: [] });
    expect(await ask(Buffer.alloc(3))).to.equal(undefined);
  });

  it('fails at once when too much of it is worked at, and no longer after that', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    forward = async (query) => (await promise, upstreamAnswer(Buffer.from(query.bytes), {}));
    const responder = create({ maxQuestions: 2 });
    const asked = ['a.example', 'b.example'].map((name) => responder.respond(question({ name }), { protocol: 'udp' }, never));
    const third = await responder.respond(question({ name: 'c.example' }), { protocol: 'udp' }, never);
    expect([readAnswer(third ?? Buffer.alloc(0)).code, responder.size]).to.deep.equal([2, 2]);
    expect(await series('clearmesh_dns_overloads_total')).to.deep.equal(['clearmesh_dns_overloads_total 1']);
    resolve();
    await Promise.all(asked);
    expect(responder.size).to.equal(0);
  });
});
