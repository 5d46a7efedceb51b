/** Results as lines: name, verdict, what was found, and what to do below. Pure. */
import { wrap } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';
import type { Result } from './result.ts';

const marks = { ok: '✔', warning: '!', failed: '✘', unknown: '?' } as const;

export function renderResults(results: readonly Result[], width: number, style: Style): readonly string[] {
  const indent = '    ';
  const lines = results.flatMap(({ name, verdict, found, hint }) => {
    const [first = '', ...rest] = wrap(`${name}: ${found}`, width - 2);
    const tone = verdict === 'ok' ? style.good : verdict === 'failed' ? style.bad : style.bold;
    const hints = hint === '' ? [] : wrap(`→ ${hint}`, width - indent.length).map((line) => `${indent}${line}`);
    return [`${tone(marks[verdict])} ${first}`, ...rest.map((line) => `${indent}${line}`), ...hints];
  });
  return [...lines, '', summary(results)];
}

function summary(results: readonly Result[]): string {
  const count = (verdict: Result['verdict']): number => results.filter((each) => each.verdict === verdict).length;
  const parts = (['ok', 'warning', 'failed', 'unknown'] as const).filter((verdict) => count(verdict) > 0);
  return parts.map((verdict) => `${count(verdict)} ${verdict}`).join(', ');
}
