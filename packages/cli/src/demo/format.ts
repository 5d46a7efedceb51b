/** The demo's text: a header, one block a step, a summary. Pure; at most `width` columns. */
import { duration, wrap } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';
import { renderWaterfall } from '../waterfall/waterfall.ts';
import { drawnSpans } from './payment-trace.ts';
import type { DemoReport, StepReport } from './report.ts';

const indent = '    ';

export type TextOptions = { readonly width: number; readonly style: Style };

export function formatHeader(lines: readonly string[], { style }: TextOptions): string {
  const [title = '', ...rest] = lines;
  return ['', style.bold(title), ...rest.map((line) => style.dim(line)), ''].join('\n');
}

/** `✓ 3  name`, then why, then each fact dimmed, then its trace. */
export function formatStep(step: StepReport, number: number, { width, style }: TextOptions): string {
  const mark = step.ok ? style.good('✓') : style.bad('✗');
  const time = duration(step.durationMs);
  const head = `${number}  ${step.name}`;
  const room = Math.max(1, width - 2 - head.length - time.length);
  const body = width - indent.length;
  return [
    `${mark} ${style.bold(head)}${' '.repeat(room)}${style.dim(time)}`,
    ...wrap(step.why, body).map((line) => `${indent.slice(1)} ${line}`),
    ...step.evidence
      .split('; ')
      .flatMap((fact) => wrap(fact, body - 2).map((line, i) => style.dim(`${indent}${i === 0 ? '·' : ' '} ${line}`))),
    ...drawing(step, { width: body, style }).map((line) => `${indent}${line}`.trimEnd()),
    '',
  ].join('\n');
}

function drawing({ trace }: StepReport, options: TextOptions): readonly string[] {
  return trace === undefined ? [] : ['', ...renderWaterfall(drawnSpans(trace), [], options)];
}

export function formatSummary({ ok, steps, wire, durationMs }: DemoReport, { style }: TextOptions): string {
  const held = steps.filter((step) => step.ok).length;
  const verdict = `${held} of ${steps.length} steps hold`;
  const seen = `${wire.plaintextBytes} plaintext bytes on the wire, ${wire.tlsVersions.join(' and ') || 'no TLS'}, ${wire.firstGroup} first`;
  const line = `${ok ? style.good('✓') : style.bad('✗')} ${style.bold(verdict)} ${style.dim(`· ${duration(durationMs)}`)}`;
  return [line, style.dim(`  ${seen}`), ''].join('\n');
}
