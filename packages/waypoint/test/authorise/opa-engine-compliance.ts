/** What every engine must do: policies written for OPA-Envoy, and the laws of the seam. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { askedBody } from '../../src/authorise/opa-body.ts';
import type { OpaEngine } from '../../src/authorise/opa-engine.ts';
import { opaInput } from '../../src/authorise/opa-input.ts';
import { readResult } from '../../src/authorise/opa-result.ts';
import type { OpaVerdict } from '../../src/authorise/opa-result.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { builtinVectors } from './builtin-vectors.ts';
import type { PolicyFiles } from './opa-binary.ts';
import { request, unaborted } from './requests.ts';

export type OpenEngine = (files: PolicyFiles, path: string) => Promise<{ readonly engine: OpaEngine } & AsyncDisposable>;

export function vector(name: string): string {
  return readFileSync(join(import.meta.dirname, 'vectors', `${name}.rego`), 'utf8');
}

/** Signed with the secret the examples use. */
export function token(claims: object, secret = 'secret'): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ nbf: 1_514_851_139, exp: 2_241_081_539, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const guest = token({ role: 'guest', sub: 'YWxpY2U=' });
const admin = token({ role: 'admin', sub: 'Ym9i' });
const expired = token({ role: 'admin', sub: 'Ym9i', exp: 1_600_000_000 });
const forged = token({ role: 'admin', sub: 'Ym9i' }, 'guessed');

type Row = readonly [
  title: string,
  policy: 'quick-start' | 'istio' | 'object',
  changes: Partial<RequestFacts>,
  body: string | undefined,
  expected: Partial<OpaVerdict>,
];

function bearing(credentials: string, changes: Partial<RequestFacts> = {}): Partial<RequestFacts> {
  return { path: '/people', query: '', ...changes, headers: { authorization: credentials, 'content-type': 'application/json' } };
}

const post = { method: 'POST' };
const allowed = { kind: 'allowed' } as const;
const denied = { kind: 'denied' } as const;
const basic = (user: string): string => `Basic ${Buffer.from(`${user}:password`).toString('base64url')}`;

const rows: readonly Row[] = [
  ['a guest reads', 'quick-start', bearing(`Bearer ${guest}`), undefined, allowed],
  ['a guest reads below', 'quick-start', bearing(`Bearer ${guest}`, { path: '/people/1' }), undefined, allowed],
  ['an admin reads', 'quick-start', bearing(`Bearer ${admin}`), undefined, allowed],
  ['a guest creates nobody', 'quick-start', bearing(`Bearer ${guest}`, post), '{"firstname":"Foo"}', denied],
  ['an admin creates', 'quick-start', bearing(`Bearer ${admin}`, post), '{"firstname":"Foo"}', allowed],
  ['an admin creates no namesake', 'quick-start', bearing(`Bearer ${admin}`, post), '{"firstname":"Bob"}', denied],
  ['an admin creates nobody without a body', 'quick-start', bearing(`Bearer ${admin}`, post), '', denied],
  ['no token', 'quick-start', { path: '/people' }, undefined, denied],
  ['what is no token', 'quick-start', bearing('Bearer none.at.all'), undefined, denied],
  ['an expired token', 'quick-start', bearing(`Bearer ${expired}`), undefined, denied],
  ['a forged token', 'quick-start', bearing(`Bearer ${forged}`), undefined, denied],
  ['an open path', 'istio', { path: '/health', query: '' }, undefined, allowed],
  ['a guest’s page', 'istio', bearing(basic('alice'), { path: '/productpage' }), undefined, allowed],
  ['an admin’s page', 'istio', bearing(basic('bob'), { path: '/api/v1/products' }), undefined, allowed],
  ['an admin’s page for a guest', 'istio', bearing(basic('alice'), { path: '/api/v1/products' }), undefined, denied],
  ['nobody’s page', 'istio', bearing(basic('carol'), { path: '/productpage' }), undefined, denied],
  [
    'an object that allows',
    'object',
    bearing(`Bearer ${guest}`, { path: '/people/' }),
    undefined,
    {
      kind: 'allowed',
      headers: { 'x-ext-auth-allow': 'yes', 'x-validated-by': 'security-checkpoint' },
      headersToRemove: ['one-auth-header', 'another-auth-header'],
      responseHeaders: { 'x-foo': 'bar' },
      queryToRemove: ['debug'],
      queryToSet: { 'user-role': ['guest'], tags: ['main-flow', 'auth-enabled'] },
      metadata: { foo: 'bar' },
    },
  ],
  [
    'an object that denies',
    'object',
    bearing(`Bearer ${guest}`),
    undefined,
    { kind: 'denied', status: 403, body: 'Unauthorized Request' },
  ],
  [
    'an object without a token',
    'object',
    { path: '/people' },
    undefined,
    { kind: 'denied', status: 401, body: 'Authentication Failed' },
  ],
];
/** The documentation's output document names a rule that its policy leaves out. */
const left: PolicyFiles = { 'left.rego': 'package envoy.authz\nquery_parameters_to_remove := ["debug"]' };
const paths = { 'quick-start': 'envoy/authz/allow', istio: 'istio/authz/allow', object: 'envoy/authz/result' };

export function inputOf(changes: Partial<RequestFacts>, body?: string): string {
  const input = opaInput({
    request: request(changes),
    token: undefined,
    contextExtensions: {},
    domain: 'ledger',
    ...(body === undefined ? {} : { body: askedBody(Buffer.from(body), false) }),
  });
  if (input.kind === 'unreadable') throw new Error(input.reason);
  return input.text();
}

export function describeEngine(name: string, open: OpenEngine): void {
  describe(`${name}, as every engine`, () => {
    for (const [title, policy, changes, body, expected] of rows) {
      it(`answers the ${policy} policy: ${title}`, async () => {
        const files = { 'policy.rego': vector(policy), ...(policy === 'object' ? left : {}) };
        await using opened = await open(files, paths[policy]);
        const evaluation = await opened.engine.evaluate(inputOf(changes, body), unaborted);
        if (evaluation.kind === 'unavailable') throw new Error(evaluation.reason);
        expect(readResult(evaluation.value)).to.deep.include(expected);
      }).timeout(120_000);
    }

    it('has the builtins that policies for requests use, with OPA’s answers', async () => {
      const { rego, expected } = await builtinVectors();
      await using opened = await open({ 'p.rego': rego }, 'a/allow');
      const evaluation = await opened.engine.evaluate('{}', unaborted);
      if (evaluation.kind === 'unavailable') throw new Error(evaluation.reason);
      expect(evaluation.value).to.deep.equal(expected);
    });

    it('gives undefined for a rule without a value', async () => {
      await using opened = await open({ 'p.rego': 'package a\nallow if input.nothing' }, 'a/allow');
      expect(await opened.engine.evaluate('{}', unaborted)).to.deep.include({ kind: 'result', value: undefined });
    });

    it('compares numbers as they were written', async () => {
      await using opened = await open({ 'p.rego': 'package a\nallow if input.parsed_body.amount > 1000' }, 'a/allow');
      for (const amount of ['1000.0000000000000000000001', '1e400', '99999999999999999999']) {
        const input = inputOf({ headers: { 'content-type': 'application/json' } }, `{"amount":${amount}}`);
        expect(await opened.engine.evaluate(input, unaborted), amount).to.deep.include({ value: true });
      }
    });

    it('does not wait for a request that was given up', async () => {
      await using opened = await open({ 'p.rego': 'package a\nallow := true' }, 'a/allow');
      expect(await opened.engine.evaluate('{}', AbortSignal.abort(new Error('gone')))).to.have.property('kind', 'unavailable');
    });

    it('answers a hundred questions at a time, each its own', async () => {
      await using opened = await open({ 'p.rego': 'package a\nallow := input.n' }, 'a/allow');
      const questions = Array.from({ length: 100 }, (_, n) => opened.engine.evaluate(`{"n":${n}}`, unaborted));
      const values = (await Promise.all(questions)).map((answer) => answer.kind === 'result' && answer.value);
      expect(values).to.deep.equal(Array.from({ length: 100 }, (_, n) => n));
    });

    it('takes no more questions once it is closed, and answers that it does not', async () => {
      const opened = await open({ 'p.rego': 'package a\nallow := true' }, 'a/allow');
      await opened[Symbol.asyncDispose]();
      expect(await opened.engine.evaluate('{}', unaborted)).to.have.property('kind', 'unavailable');
    });
  });
}
