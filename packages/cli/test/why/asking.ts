import { expect } from 'chai';
import { it } from 'mocha';
import { explain } from '../../src/why/explain.ts';
import type { Explanation } from '../../src/why/explain.ts';
import { parseFrom, parseTo } from '../../src/why/question.ts';
import type { AskedRequest } from '../../src/why/question.ts';
import { bank, viewOf } from '../mesh/bank.ts';

/** The bank with some more objects, and one question about it. */
export function ask(documents: readonly string[], from: string, to: string, asked: AskedRequest = {}): Explanation {
  return explain(viewOf([bank, ...documents]), { from: parseFrom(from), to: parseTo(to), asked });
}

export type Case = readonly [
  title: string,
  documents: readonly string[],
  ends: readonly [from: string, to: string, asked?: AskedRequest],
  verdict: Explanation['verdict'],
  because: RegExp,
  change?: RegExp,
];

export function itAnswers(cases: readonly Case[]): void {
  for (const [title, documents, [from, to, asked], verdict, because, change] of cases) {
    it(title, () => {
      const explanation = ask(documents, from, to, asked);
      expect([explanation.verdict, explanation.because]).to.satisfy(
        ([found, text]: readonly [string, string]) => found === verdict && because.test(text),
        `${explanation.verdict}: ${explanation.because}`,
      );
      if (change !== undefined) expect(explanation.changes.join('\n')).to.match(change);
    });
  }
}
