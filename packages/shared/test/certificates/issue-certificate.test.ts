import { identity } from '../../src/testing/builders.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { createSigningRequest } from '../../src/tls/signing-request.ts';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { issueCertificate, readAnswer } from '../../src/certificates/issue-certificate.ts';

const id = identity('bank', 'client');
const never = new AbortController().signal;

describe('issueCertificate', () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await TestAuthority.create();
  });

  it('keeps leaf and intermediates as the chain, and the last element as the roots', async () => {
    const below = await authority.intermediate();
    const other = await TestAuthority.create();
    const notBefore = Date.UTC(2026, 5, 1);
    const certificate = await issueCertificate(
      id,
      3_600,
      {
        sign: async (csrPem) => {
          const [leaf = '', intermediate = ''] = await below.sign(csrPem, { uris: [id], notBefore, notAfter: notBefore + 1_000 });
          return { chain: [leaf, intermediate, `${authority.rootPem}\n${other.rootPem}`] };
        },
      },
      never,
    );
    expect([certificate.chain.length, certificate.roots.length]).to.deep.equal([2, 2]);
    expect([certificate.notBefore, certificate.notAfter]).to.deep.equal([notBefore, notBefore + 1_000]);
  });

  for (const [what, uris] of [
    ['another identity', [identity('bank', 'other')]],
    ['no identity', []],
    ['a second identity beside it', [id, identity('bank', 'other')]],
  ] as const) {
    it(`refuses an answer with ${what}`, async () => {
      const answer = issueCertificate(
        id,
        3_600,
        { sign: async (csrPem) => ({ chain: await authority.sign(csrPem, { uris }) }) },
        never,
      );
      expect(await answer.catch((error: Error) => error.message)).to.include('cannot be used: it names');
    });
  }

  it('refuses an answer for another key', async () => {
    const [request, other] = await Promise.all([createSigningRequest(id), createSigningRequest(id)]);
    const chain = await authority.sign(other.csrPem, { uris: [id] });
    expect(() => readAnswer(chain, id, request.keyPem)).to.throw(/another key/);
  });

  for (const [what, answer] of [
    ['nothing', []],
    ['a root alone', ['root']],
    ['no root', ['leaf', '']],
    ['garbage', ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'root']],
    ['text', ['hello', 'world']],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { csrPem, keyPem } = await createSigningRequest(id);
      const [leaf = '', root = ''] = await authority.sign(csrPem, { uris: [id] });
      const chain = answer.map((part) => (part === 'leaf' ? leaf : part === 'root' ? root : part));
      expect(() => readAnswer(chain, id, keyPem)).to.throw(/cannot be used/);
    });
  }
});
