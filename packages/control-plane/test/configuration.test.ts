import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import { createMetrics } from '../src/admin/control-plane-metrics.ts';
import { Configuration } from '../src/configuration.ts';
import { defaultDeriveOptions } from '../src/derive/options.ts';
import { Publisher } from '../src/publish/publisher.ts';
import { collections, denyRule, peerAuthentication, pod } from './fixtures/objects.ts';
import type { ControlPlaneMetrics } from '../src/admin/control-plane-metrics.ts';
import type { Manifest } from '../src/manifest/collections.ts';
import type { SourceEvent } from '../src/watch/configuration-source.ts';

type Line = { readonly level: string; readonly message: string; readonly fields: LogFields };

type SetUp = {
  clock: FakeClock;
  publisher: Publisher;
  configuration: Configuration;
  lines: Line[];
  metrics: ControlPlaneMetrics;
};

function setUp(): SetUp {
  const clock = new FakeClock();
  const publisher = new Publisher({}, { clock });
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields });
  const logger: Logger = { ...silentLogger, info: at('info'), warn: at('warn'), error: at('error') };
  const metrics = createMetrics();
  const configuration = new Configuration(defaultDeriveOptions, { publisher, metrics, clock, logger });
  return { clock, publisher, configuration, lines, metrics };
}

function taken(...manifests: readonly Manifest[]): SourceEvent {
  return { kind: 'taken', collections: collections(...manifests), files: 1, objects: manifests.length };
}

const rejected: SourceEvent = {
  kind: 'rejected',
  problems: [
    {
      code: 'MESH-CONFIG-001',
      file: 'bank.yaml',
      line: 5,
      column: 11,
      object: 'AuthorizationPolicy bank/p',
      field: 'spec.action',
      value: '"DENNY"',
      message: 'must be one of ALLOW, DENY',
      remedy: 'Did you mean DENY?',
    },
  ],
};

describe('Configuration', () => {
  it('publishes nothing before a good configuration', () => {
    const { publisher, configuration, lines } = setUp();
    configuration.recvEvent(rejected);
    expect(publisher.current).to.equal(undefined);
    expect(configuration.model).to.equal(undefined);
    expect(lines.at(-1)?.message).to.equal('configuration rejected; nothing is served yet');
  });

  it('keeps the last good configuration, and writes one line a problem', () => {
    const { publisher, configuration, lines } = setUp();
    configuration.recvEvent(taken(pod('a')));
    const before = publisher.current;
    lines.length = 0;
    configuration.recvEvent(rejected);
    expect(publisher.current).to.equal(before);
    expect(configuration.pods).to.have.length(1);
    expect(lines).to.deep.equal([
      {
        level: 'warn',
        message: 'spec.action must be one of ALLOW, DENY',
        fields: {
          code: 'MESH-CONFIG-001',
          file: 'bank.yaml',
          line: 5,
          column: 11,
          object: 'AuthorizationPolicy bank/p',
          field: 'spec.action',
          value: '"DENNY"',
          remedy: 'Did you mean DENY?',
        },
      },
      { level: 'warn', message: 'configuration rejected; the last good configuration keeps serving', fields: { problems: 1 } },
    ]);
  });

  it('says what stands for a policy that cannot be read, and again when that changes, and counts it', () => {
    const { configuration, lines, metrics } = setUp();
    const [problem] = rejected.kind === 'rejected' ? rejected.problems : [];
    const told = (effect?: string): SourceEvent => {
      const one = { ...problem!, ...(effect === undefined ? {} : { effect }) };
      return { kind: 'taken', collections: collections(), objects: 0, problems: [one, { ...one, field: 'spec.rules' }] };
    };
    const count = (): string | undefined => /^clearmesh_configuration_stand_ins \d+$/m.exec(metrics.registry.text())?.[0];
    configuration.recvEvent(told());
    expect(count()).to.equal('clearmesh_configuration_stand_ins 0');
    for (let round = 0; round < 2; round++) configuration.recvEvent(told('Everybody is refused.'));
    expect(count()).to.equal('clearmesh_configuration_stand_ins 1');
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ fields }) => [fields['field'], fields['effect']]);
    expect(warnings).to.deep.equal([
      ['spec.action', undefined],
      ['spec.rules', undefined],
      ['spec.action', 'Everybody is refused.'],
      ['spec.rules', 'Everybody is refused.'],
    ]);
    configuration.recvEvent(taken());
    expect(count()).to.equal('clearmesh_configuration_stand_ins 0');
  });

  it('says once what a policy does otherwise than it reads', () => {
    const { configuration, lines } = setUp();
    const deny = denyRule({ to: [{ operation: { methods: ['DELETE'] } }] });
    configuration.recvEvent(taken(deny));
    configuration.recvEvent(taken(deny, pod('a')));
    expect(lines.filter(({ message }) => message.includes('cannot see'))).to.have.length(1);
  });

  it('derives again at the moment a PERMISSIVE mode ends, however far away', () => {
    const { clock, publisher, configuration } = setUp();
    configuration.recvEvent(taken(pod('a'), peerAuthentication({ mtls: { mode: 'PERMISSIVE' } }, { until: '2026-02-28' })));
    const lists = (): readonly string[] | undefined => configuration.model?.workloads[0]?.authorizationPolicies;
    expect(lists()).to.deep.equal([]);
    const policies = publisher.current?.get(AUTHORIZATION_TYPE_URL);
    clock.advance(Date.UTC(2026, 2, 1) - clock.now() - 1);
    expect(lists()).to.deep.equal([]);
    clock.advance(1);
    expect(lists()).to.deep.equal(['clearmesh-system/istio_converted_static_strict']);
    expect(publisher.current?.get(AUTHORIZATION_TYPE_URL)).to.equal(policies);
    clock.advance(100);
    expect(clock.pendingTimers).to.equal(0);
  });
});
