import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FilteredLog, parseLogFilter } from '@clearmesh/shared/observe/log-filter';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { startAdminServer } from '../../src/admin/admin-server.ts';
import type { AdminDeps } from '../../src/admin/admin-server.ts';

const jwks = '{"keys":[{"kty":"oct","kid":"key-1","k":"c2VjcmV0"}]}';

const configuration: WaypointConfiguration = {
  namespace: 'bank',
  name: 'bank-waypoint',
  environment: 'test',
  services: [
    {
      key: serviceKey('bank', 'ledger.bank.svc.cluster.local'),
      ports: [{ port: 8080, protocol: 'HTTP11' }],
      routes: [],
      authorization: [],
      jwt: ['RequestAuthentication bank/tokens'],
      opa: [],
      rateLimits: [],
      faults: [],
    },
  ],
  workloads: [],
  policies: {
    authorization: {},
    jwt: {
      'RequestAuthentication bank/tokens': {
        key: 'RequestAuthentication bank/tokens',
        rules: [
          {
            issuer: 'https://issuer',
            audiences: [],
            jwks,
            fromHeaders: [],
            fromParams: [],
            forwardOriginalToken: false,
            outputClaimToHeaders: [],
          },
        ],
      },
    },
    opa: {},
    resilience: {},
    rateLimits: {},
    faults: {},
  },
};

type Asked = { readonly status: number; readonly body: string };

async function withServer(
  changes: Partial<AdminDeps>,
  test: (ask: (path: string, method?: string) => Promise<Asked>) => Promise<void>,
): Promise<void> {
  const filter = parseLogFilter('info');
  if (filter === undefined) throw new TypeError('no filter');
  await using server = await startAdminServer(
    { ips: ['127.0.0.1'], port: 0 },
    {
      configuration: () => ({ revision: '42', acceptedAtMs: 0, configuration }),
      rejected: () => undefined,
      status: { breakers: () => ['b'], outliers: () => ['o'], limits: () => ['l'] },
      options: () => ({ drain: 5 }),
      version: '1.2.3',
      log: new FilteredLog(filter, { sink: silentLogger }),
      quit: () => {},
      logger: silentLogger,
      ...changes,
    },
  );
  const port = server.addresses[0]?.port ?? 0;
  await test(async (path, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, body: await response.text() };
  });
}

describe('admin server', () => {
  it('dumps the configuration in force with its revision, without key material', () =>
    withServer({}, async (ask) => {
      const { status, body } = await ask('/config_dump');
      expect(status).to.equal(200);
      expect(body).not.to.include('c2VjcmV0');
      const dump = JSON.parse(body) as {
        version: string;
        options: unknown;
        rejected?: unknown;
        configuration: { revision: string; acceptedAt: string; services: unknown[]; policies: WaypointConfiguration['policies'] };
      };
      expect(dump).to.include({ version: '1.2.3' });
      expect(dump.options).to.deep.equal({ drain: 5 });
      expect(dump.configuration).to.include({ revision: '42', acceptedAt: '1970-01-01T00:00:00.000Z', name: 'bank-waypoint' });
      expect(dump.configuration.policies.jwt['RequestAuthentication bank/tokens'])
        .to.have.nested.property('rules[0].jwks')
        .that.deep.equals(['key-1']);
      expect(dump).not.to.have.property('rejected');
    }));

  it('says that there is no configuration yet, and what was refused', () =>
    withServer(
      {
        configuration: () => undefined,
        rejected: () => ({ revision: '43', rejectedAtMs: 0, problem: 'services[0].opa names no policy' }),
      },
      async (ask) => {
        expect(JSON.parse((await ask('/config_dump')).body)).to.deep.include({
          configuration: null,
          rejected: {
            revision: '43',
            rejectedAt: '1970-01-01T00:00:00.000Z',
            problem: 'services[0].opa names no policy',
          },
        });
      },
    ));

  it('shows breakers, outliers and limits apart', () =>
    withServer({}, async (ask) => {
      expect(JSON.parse((await ask('/status')).body)).to.deep.equal({ breakers: ['b'], outliers: ['o'], limits: ['l'] });
    }));

  it('is alive, and knows no other path', () =>
    withServer({}, async (ask) => {
      expect(await ask('/healthz')).to.deep.equal({ status: 200, body: 'ok\n' });
      expect((await ask('/')).body).to.include('/config_dump');
      expect((await ask('/secrets')).status).to.equal(404);
    }));

  it('shows, sets, refuses and resets the log level', () =>
    withServer({}, async (ask) => {
      for (const [path, method, status, body] of [
        ['/logging', 'GET', 405, 'Invalid HTTP method'],
        ['/logging', 'POST', 200, 'current log level is info\n'],
        ['/logging?level=info,access=debug', 'POST', 200, 'current log level is info,access=debug\n'],
        ['/logging?level=loud', 'POST', 400, 'Invalid level provided: loud'],
        ['/logging?reset', 'POST', 200, 'current log level is info\n'],
      ] as const) {
        const answer = await ask(path, method);
        expect(answer.status).to.equal(status);
        expect(answer.body).to.include(body);
      }
    }));

  it('begins the drain by POST only, after its answer', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await withServer({ quit: resolve }, async (ask) => {
      expect((await ask('/quitquitquit')).status).to.equal(405);
      expect(await ask('/quitquitquit', 'POST')).to.deep.equal({ status: 200, body: 'shutdown now\n' });
      await promise;
    });
  });
});
