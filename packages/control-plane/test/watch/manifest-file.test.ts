import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseManifestFile } from '../../src/watch/manifest-file.ts';
import { problemError } from '@clearmesh/shared/document/problem';
import { podHead, wrongObjects } from './wrong-objects.ts';
import { peerHead, policyHead, wrongAuthorizationPolicies, wrongPeerAuthentications } from './wrong-policies.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };

function problems(text: string, given = rules): readonly Problem[] {
  return parseManifestFile('bank.yaml', text, given).problems;
}

describe('parseManifestFile', () => {
  for (const [title, text, where, message, remedy] of [
    ...wrongObjects,
    ...wrongAuthorizationPolicies,
    ...wrongPeerAuthentications,
  ]) {
    it(`refuses ${title}, and says where and what to do`, () => {
      const [problem, ...others] = problems(text);
      expect(others).to.deep.equal([]);
      expect(`${problem?.line}:${problem?.column} ${problem?.field} ${problem?.value}`.trim()).to.equal(where);
      expect(problem?.message).to.match(asPattern(message));
      expect(problem?.remedy).to.match(asPattern(remedy));
      expect([problem?.code, problem?.file]).to.deep.equal(['MESH-CONFIG-001', 'bank.yaml']);
    });
  }

  it('reads every document of a file, comments and empty documents apart', () => {
    const text = `# the bank\n---\n${podHead}metadata: { name: a, namespace: bank, finalizers: [x] }\nspec: { anything: [1] }\n---\n---\n${policyHead}  action: DENY\n`;
    const { objects, problems: found } = parseManifestFile('bank.yaml', text, rules);
    expect(found).to.deep.equal([]);
    expect(objects.map(({ manifest }) => manifest.kind)).to.deep.equal(['Pod', 'AuthorizationPolicy']);
    expect(objects[1]?.locate(['spec', 'action'])).to.deep.equal({ line: 13, column: 11 });
  });

  it('accepts PERMISSIVE with an end, and without one where none is required', () => {
    const until = '{ name: p, namespace: bank, annotations: { clearmesh.io/permissive-until: 2027-03-31 } }';
    expect(problems(`${peerHead.replace('{ name: p, namespace: bank }', until)}  mtls: { mode: PERMISSIVE }\n`)).to.deep.equal(
      [],
    );
    expect(problems(`${peerHead}  mtls: { mode: PERMISSIVE }\n`, { ...rules, requirePermissiveExpiry: false })).to.deep.equal([]);
  });

  it('reports all problems of all documents', () => {
    const text = `${policyHead}  action: DENNY\n  rule: []\n---\nkind: X\napiVersion: v1\n`;
    expect(problems(text).map(({ line, field }) => [line, field])).to.deep.equal([
      [6, 'spec.rule'],
      [5, 'spec.action'],
      [8, 'kind'],
    ]);
  });

  it('takes nothing of a file that is cut off in the middle of a document', () => {
    const { objects, problems: found } = parseManifestFile(
      'bank.yaml',
      `${podHead}metadata: { name: a, namespace: bank }\n---\n${podHead}metadata: { name: b, name`,
      rules,
    );
    expect(objects).to.deep.equal([]);
    expect(found.map(({ line, column }) => ({ line, column }))).to.deep.include({ line: 7, column: 22 });
    expect(found[0]?.remedy).to.match(/cut off/);
  });

  it('takes a file without a byte for one that is being written', () => {
    expect(parseManifestFile('bank.yaml', '', rules).problems[0]?.message).to.equal('the file is empty');
    expect(parseManifestFile('bank.yaml', '# nothing yet\n', rules)).to.deep.equal({ objects: [], problems: [] });
  });

  it('refuses a document that expands without end', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
      .split('')
      .map((name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[i]}`).join(', ')}]`)
      .join('\n')}\n`;
    expect(problems(bomb)[0]?.message).to.match(/alias/i);
  });

  it('survives an object that contains itself', () => {
    expect(problems(`${podHead}metadata: &m { name: a, namespace: bank, labels: *m }\n`).length).to.be.greaterThan(0);
  });

  it('never throws, whatever the text', () => {
    const words = fc.constantFrom(
      'apiVersion: v1\n',
      'kind: Pod\n',
      'metadata:\n',
      '  name: a\n',
      '- ',
      '{',
      '}',
      '[',
      '&a ',
      '*a ',
      '"',
      '!!',
      '\n',
      '---\n',
      ': ',
      '? ',
      '|',
      '\t',
      '%',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 30 }).map((parts) => parts.join('')),
        ),
        (text) => {
          const { problems: found } = parseManifestFile('x.yaml', text, rules);
          return found.every(({ line, column }) => line >= 1 && column >= 1);
        },
      ),
    );
  });
});

describe('problemError', () => {
  it('tells file, line, column, object, field, value and remedy', () => {
    const [problem] = problems(`${policyHead}  action: DENNY\n`);
    const error = problemError(problem!);
    expect(error.code).to.equal('MESH-CONFIG-001');
    expect(error.explain()).to.equal(
      'bank.yaml:5:11: AuthorizationPolicy bank/p: spec.action: must be one of ALLOW, DENY, AUDIT, CUSTOM (found "DENNY") [MESH-CONFIG-001]\n  → Did you mean DENY?',
    );
  });
});

function asPattern(text: string | RegExp): RegExp {
  return text instanceof RegExp ? text : new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}
