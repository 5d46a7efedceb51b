/** Objects that are refused, and what is said of each; where in the file is shown by manifest-file.test.ts. */
import { expect } from 'chai';
import { it } from 'mocha';
import { parseManifestFile } from '../../src/watch/manifest-file.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };
/** Title, text, `field value` of the one problem, message, remedy. */
export type Wrong = readonly [title: string, text: string, where: string, message: RegExp, remedy: RegExp];

export function problems(text: string): readonly Problem[] {
  return parseManifestFile('bank.yaml', text, rules).problems;
}

export function refuses(table: readonly Wrong[]): void {
  for (const [title, text, where, message, remedy] of table) {
    it(`refuses ${title}`, () => {
      const found = problems(text);
      expect(found.map(({ field, value }) => `${field} ${value}`.trim())).to.deep.equal([where]);
      expect(found[0]?.message).to.match(message);
      expect(found[0]?.remedy).to.match(remedy);
    });
  }
}
