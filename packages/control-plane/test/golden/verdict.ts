/** What is to be said of a scenario: equal, different by design, or different. */
import { differences, differenceText } from './difference.ts';
import { normalForm } from './normal-form.ts';
import { modelOf, stepsOf } from './scenario.ts';
import { statusForm } from './status-form.ts';
import { reportStatus } from '../../src/report/report.ts';
import type { Deviation } from './deliberate.ts';
import type { DeriveOptions } from '../../src/derive/options.ts';
import type { Difference } from './difference.ts';

export type Verdict = {
  readonly kind: 'equal' | 'by design' | 'differs';
  /** Why, of those that are by design. */
  readonly reasons: readonly string[];
  /** What nobody declared, and what was declared and does not differ. */
  readonly faults: readonly string[];
};

/** What is served; with upstream's answers to all questions nothing is by design. */
export function servedVerdict(scenario: string, options: DeriveOptions, declared: readonly Deviation[] = []): Verdict {
  return judge(
    stepsOf(scenario).map((step) => ({ step: step.step, found: differences(step.served, normalForm(modelOf(step, options))) })),
    declared,
  );
}

/** What is reported, of scenarios with a record of it. */
export function statusVerdict(scenario: string, options: DeriveOptions, declared: readonly Deviation[]): Verdict {
  const steps = stepsOf(scenario).flatMap(({ status, ...step }) => {
    if (status === undefined) return [];
    const configured = { collections: step.collections, model: modelOf(step, options), nowMs: 0 };
    const { objects } = reportStatus({ configured, refusals: new Map(), problems: [] }, options);
    return [{ step: step.step, found: differences(statusForm(status), statusForm(objects)) }];
  });
  return judge(steps, declared);
}

export function deviationsOf(scenario: string, of: readonly Deviation[]): readonly Deviation[] {
  return of.filter((deviation) => deviation.scenario === scenario);
}

/** Every difference needs a declaration, and every declaration a difference. */
export function judge(
  steps: readonly { readonly step: number; readonly found: readonly Difference[] }[],
  declared: readonly Deviation[],
): Verdict {
  const used = new Set<Deviation>();
  const undeclared = steps.flatMap(({ step, found }) =>
    found.flatMap((difference) => {
      const deviation = declared.find(({ resource, field }) => resource === difference.resource && field === difference.field);
      if (deviation === undefined) return [`step ${step}: ${differenceText(difference)}`];
      used.add(deviation);
      return [];
    }),
  );
  const surplus = declared
    .filter((deviation) => !used.has(deviation))
    .map(({ resource, field }) => `declared, and does not differ: ${resource}: ${field}`);
  const faults = [...undeclared, ...surplus];
  const reasons = [...new Set(declared.map(({ reason }) => reason))];
  if (faults.length > 0) return { kind: 'differs', reasons, faults };
  return { kind: reasons.length > 0 ? 'by design' : 'equal', reasons, faults };
}
