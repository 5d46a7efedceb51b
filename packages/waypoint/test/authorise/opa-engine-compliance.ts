/** What every engine must do: policies in the manner of OPA-Envoy, and the laws of the seam. */
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
import { token } from './shared-secret.ts';

export type OpenEngine = (files: PolicyFiles, path: string) => Promise<{ readonly engine: OpaEngine } & AsyncDisposable>;

function vector(name: string): string {
  return readFileSync(join(import.meta.dirname, 'vectors', `${name}.rego`), 'utf8');
}

const clerk = token({ role: 'clerk', sub: 'YW5uYQ' });
const manager = token({ role: 'manager', sub: 'YmVu' });
const expired = token({ role: 'manager', sub: 'YmVu', exp: 1_600_000_000 });
const early = token({ role: 'manager', sub: 'YmVu', nbf: 2_200_000_000 });
const forged = token({ role: 'manager', sub: 'YmVu' }, 'guessed');

type Row = readonly [
  title: string,
  policy: keyof typeof paths,
  changes: Partial<RequestFacts>,
  body: string | undefined,
  expected: Partial<OpaVerdict>,
];

const paths = { bearer: 'envoy/authz/allow', basic: 'reports/access/permitted', object: 'envoy/authz/answer' };

function bearing(credentials: string, changes: Partial<RequestFacts> = {}): Partial<RequestFacts> {
  return { path: '/clients', query: '', ...changes, headers: { authorization: credentials, 'content-type': 'application/json' } };
}

function badge(value: string | undefined): Partial<RequestFacts> {
  return { query: 'branch=7&debug=1', headers: value === undefined ? {} : { 'x-badge': value } };
}

const post = { method: 'POST' };
const allowed = { kind: 'allowed' } as const;
const denied = { kind: 'denied' } as const;
const basic = (user: string): string => `Basic ${Buffer.from(`${user}:password`).toString('base64url')}`;
const answered = { 'x-judged-by': 'house-rules', 'x-tier': 'gold, silver' };

const rows: readonly Row[] = [
  ['a clerk reads', 'bearer', bearing(`Bearer ${clerk}`), undefined, allowed],
  ['a clerk reads below', 'bearer', bearing(`bearer ${clerk}`, { path: '/clients/1', query: 'a=1' }), undefined, allowed],
  ['a clerk reads elsewhere', 'bearer', bearing(`Bearer ${clerk}`, { path: '/vault' }), undefined, denied],
  ['a manager reads', 'bearer', bearing(`Bearer ${manager}`), undefined, allowed],
  ['a clerk opens nothing', 'bearer', bearing(`Bearer ${clerk}`, post), '{"name":"Carol"}', denied],
  ['a manager opens an account', 'bearer', bearing(`Bearer ${manager}`, post), '{"name":"Carol"}', allowed],
  ['a manager opens none for himself', 'bearer', bearing(`Bearer ${manager}`, post), '{"name":"Ben"}', denied],
  ['a manager opens none without a body', 'bearer', bearing(`Bearer ${manager}`, post), '', denied],
  ['no token', 'bearer', { path: '/clients' }, undefined, denied],
  ['what is no token', 'bearer', bearing('Bearer none.at.all'), undefined, denied],
  ['an expired token', 'bearer', bearing(`Bearer ${expired}`), undefined, denied],
  ['a token of the future', 'bearer', bearing(`Bearer ${early}`), undefined, denied],
  ['a forged token', 'bearer', bearing(`Bearer ${forged}`), undefined, denied],
  ['an open path', 'basic', { path: '/ready', query: '' }, undefined, allowed],
  ['a teller’s report', 'basic', bearing(basic('anna'), { path: '/daily' }), undefined, allowed],
  ['an auditor’s report', 'basic', bearing(basic('ben'), { path: '/yearly/2026' }), undefined, allowed],
  ['an auditor’s report for a teller', 'basic', bearing(basic('anna'), { path: '/yearly/2026' }), undefined, denied],
  ['a report for nobody', 'basic', bearing(basic('carol'), { path: '/daily' }), undefined, denied],
  [
    'an object that allows',
    'object',
    badge('valid'),
    undefined,
    {
      kind: 'allowed',
      headers: answered,
      headersToRemove: ['x-debug', 'x-trace-me'],
      responseHeaders: { 'x-house': 'bank' },
      queryToRemove: ['debug'],
      queryToSet: { branch: ['7'], flags: ['a', 'b'] },
      metadata: { weight: 7 },
    },
  ],
  [
    'an object that denies',
    'object',
    badge('torn'),
    undefined,
    { kind: 'denied', status: 403, body: 'not this badge', headers: answered, metadata: { weight: 7 } },
  ],
  ['an object that asks who it is', 'object', badge(undefined), undefined, { kind: 'denied', status: 401, body: 'no badge' }],
];

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
        await using opened = await open({ 'policy.rego': vector(policy) }, paths[policy]);
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
