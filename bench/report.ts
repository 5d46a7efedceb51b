/** Rounds of figures → medians, ratios and a table. Pure. */
import { columnWidths, textTable } from '@clearmesh/shared/testing/text-table';

/** Figures of one path in one round; units are in the names. */
export type Figures = Readonly<Record<string, number>>;

export type Summary = {
  readonly path: string;
  readonly rounds: readonly Figures[];
  readonly median: Figures;
  /** Median of the round-by-round ratios to the reference path: rounds run in turn, so drift of the machine cancels out. */
  readonly ratio: Figures;
};

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** One summary a path; `reference` names the path that ratios are taken to. */
export function summarise(rounds: ReadonlyMap<string, readonly Figures[]>, reference: string): Summary[] {
  const base = rounds.get(reference) ?? [];
  return [...rounds].map(([path, own]) => {
    const names = Object.keys(own[0] ?? {});
    const per = (take: (name: string) => number[]): Figures =>
      Object.fromEntries(names.map((name) => [name, median(take(name))]));
    return {
      path,
      rounds: own,
      median: per((name) => own.map((figures) => figures[name] ?? Number.NaN)),
      ratio: per((name) => own.map((figures, round) => (figures[name] ?? Number.NaN) / (base[round]?.[name] ?? Number.NaN))),
    };
  });
}

/** A text table: a row a figure, a column a path, each with its ratio to the reference. */
export function table(summaries: readonly Summary[], titles: Readonly<Record<string, string>>): string {
  const header = ['', ...summaries.map((summary) => summary.path)];
  const rows = Object.entries(titles).map(([name, title]) => [title, ...summaries.map((summary) => cell(summary, name))]);
  const rule = columnWidths([header, ...rows]).map((width) => '-'.repeat(width));
  return textTable([header, rule, ...rows]).join('\n');
}

function cell(summary: Summary, name: string): string {
  const value = summary.median[name] ?? Number.NaN;
  const ratio = summary.ratio[name] ?? Number.NaN;
  if (!Number.isFinite(value)) return '-';
  return `${format(value)}${Number.isFinite(ratio) ? ` (${ratio.toFixed(2)}×)` : ''}`;
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
