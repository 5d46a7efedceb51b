/** An authoriser for tests, with engines that answer what the test says. */
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Authoriser } from '../../src/authorise/authorise.ts';
import type { BodyAccess } from '../../src/authorise/body-access.ts';
import { staticKeys } from '../../src/authorise/jwks-remote.ts';
import { JwtAuthenticator } from '../../src/authorise/jwt.ts';
import { KeySet } from '../../src/authorise/jwt-keys.ts';
import { compilePolicies } from '../../src/authorise/l7-policy.ts';
import { OpaDecider } from '../../src/authorise/opa-policy.ts';
import { withoutHttp } from '../../src/authorise/opaque-policy.ts';
import type { Denied, Permitted } from '../../src/authorise/permit.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import type { FakeEngine } from './fake-engine.ts';
import { noBody, request, staying } from './requests.ts';

type Setup = {
  readonly policies?: readonly L7AuthorizationPolicy[];
  readonly opa?: readonly (readonly [engine: FakeEngine, policy?: Partial<OpaPolicy>])[];
  readonly jwt?: readonly JwtRule[];
  readonly missing?: readonly string[];
  readonly clock?: FakeClock;
};

export function authoriser({ policies = [], opa = [], jwt = [], missing = [], clock = new FakeClock() }: Setup): Authoriser {
  return new Authoriser({
    missing,
    policies: compilePolicies(policies),
    opaque: compilePolicies(policies.map(withoutHttp)),
    tokens: new JwtAuthenticator([{ key: 'RequestAuthentication ledger/login', rules: jwt }], {
      clock,
      keysOf: ({ jwks }) => staticKeys(jwks === undefined ? undefined : KeySet.parse(jwks)),
    }),
    opa: opa.map(
      ([engine, changes], index) =>
        new OpaDecider(
          { policy: opaPolicy({ key: `OpaPolicy ledger/${index}`, ...changes }), domain: 'ledger' },
          { engine, clock },
        ),
    ),
  });
}

function opaPolicy(changes: Partial<OpaPolicy>): OpaPolicy {
  return {
    key: 'OpaPolicy ledger/0',
    engine: { kind: 'server', url: 'http://127.0.0.1:1' },
    path: 'envoy/authz/allow',
    timeoutMs: 200,
    contextExtensions: {},
    ...changes,
  };
}

export async function decide(
  by: Authoriser,
  changes: Partial<RequestFacts> = {},
  body: BodyAccess = noBody,
): Promise<Permitted | Denied> {
  const asked = await by.authenticate(request(changes), staying);
  if (asked.kind === 'refused') throw new Error(asked.failure.detail);
  return by.authorise(asked, body, staying);
}

export function failureOf(outcome: Permitted | Denied): Denied['failure'] {
  if (outcome.kind === 'permitted') throw new Error('permitted');
  return outcome.failure;
}

export function permitted(outcome: Permitted | Denied): Permitted {
  if (outcome.kind === 'refused') throw new Error(outcome.failure.detail);
  return outcome;
}
