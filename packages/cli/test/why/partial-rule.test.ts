import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { l7Facts } from '@clearmesh/waypoint/authorise/l7-facts';
import { compileRule, ruleMatches } from '@clearmesh/waypoint/authorise/l7-rule';
import type { RequestFacts } from '@clearmesh/waypoint/exchange/request-facts';
import { identity, ip, socketAddress } from '@clearmesh/shared/testing/builders';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { L7Rule } from '@clearmesh/shared/model/l7/authorization';
import { certainRule, possibleRule, unknownOf } from '../../src/why/partial-rule.ts';

const methods = ['GET', 'POST'];
const paths = ['/a', '/b', '/a*'];

/** Fields as policies have them, over few words, so that rules and requests meet. */
const field = (words: readonly string[]): fc.Arbitrary<string[]> => fc.subarray([...words], { minLength: 1 });
const source = fc.record(
  { namespaces: field(['bank', 'branch']), notRequestPrincipals: field(['*']), requestPrincipals: field(['*']) },
  { requiredKeys: [] },
);
const operation = fc.record(
  {
    methods: field(methods),
    notMethods: field(methods),
    paths: field(paths),
    notPaths: field(paths),
    hosts: field(['ledger', '*.bank']),
  },
  { requiredKeys: [] },
);
const condition = fc.record({ key: fc.constantFrom('source.namespace', 'request.headers[x-a]'), values: field(['bank', '1']) });
const rule: fc.Arbitrary<L7Rule> = fc.record(
  {
    from: fc.array(source, { maxLength: 2 }),
    to: fc.array(operation, { maxLength: 3 }),
    when: fc.array(condition, { maxLength: 1 }),
  },
  { requiredKeys: [] },
);
const request = fc.record({
  method: fc.constantFrom(...methods),
  path: fc.constantFrom('/a', '/b', '/ab'),
  host: fc.constantFrom('ledger', 'x.bank', 'other'),
  header: fc.constantFrom(undefined, '1'),
  namespace: fc.constantFrom('bank', 'branch'),
});

type Request = typeof request extends fc.Arbitrary<infer R> ? R : never;

function factsOf({ method, path, host, header, namespace }: Request): ReturnType<typeof l7Facts> {
  const facts: RequestFacts = {
    id: '',
    caller: {
      identity: identity(namespace, 'teller'),
      address: socketAddress('10.0.0.1:1'),
      tls: { protocol: 'TLSv1.3', cipher: '' },
    },
    called: {
      key: serviceKey('ledger', 'ledger'),
      hostname: host,
      namespace: 'ledger',
      port: 80,
      address: { ip: ip('10.96.0.1'), port: 80 },
    },
    protocol: 'HTTP/1.1',
    grpc: false,
    method,
    authority: host,
    path,
    query: '',
    headers: header === undefined ? {} : { 'x-a': header },
    receivedAtMs: 0,
    startedMs: 0,
  };
  return l7Facts(facts, undefined);
}

describe('partial rules', () => {
  it('bound what a whole request is told: certain matches, and matches are possible', () => {
    fc.assert(
      fc.property(
        rule,
        request,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom('ALLOW' as const, 'DENY' as const),
        (each, asked, knowsMethod, knowsPath, action) => {
          const unknown = unknownOf({
            ...(knowsMethod ? { method: asked.method } : {}),
            ...(knowsPath ? { path: asked.path } : {}),
          });
          const matches = (written: L7Rule): boolean =>
            ruleMatches(compileRule(written, { action, namespace: 'ledger' }), factsOf(asked));
          const [certain, whole, possible] = [
            matches(certainRule(each, unknown)),
            matches(each),
            matches(possibleRule(each, unknown)),
          ];
          expect(!certain || whole, `certain, and not matched: ${JSON.stringify(each)}`).to.equal(true);
          expect(!whole || possible, `matched, and not possible: ${JSON.stringify(each)}`).to.equal(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
