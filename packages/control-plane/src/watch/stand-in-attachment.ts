/** Which targets an object names that is not of its schema. */
import { targetRefSchema, targetRefsSchema } from '../manifest/target-ref.ts';
import { checkTarget } from './check-target-refs.ts';
import { readAs } from './unread-fields.ts';
import type { TargetRefManifest } from '../manifest/target-ref.ts';
import type { TargetRules } from './check-target-refs.ts';
import type { UnreadFields } from './unread-fields.ts';

/** One that nobody would find makes all of them unreadable: it was meant for something. */
export function targetsFrom(fields: UnreadFields | undefined, rules: TargetRules): readonly TargetRefManifest[] | 'unreadable' {
  const target = readAs(targetRefSchema, fields?.['targetRef']);
  const list = readAs(targetRefsSchema, fields?.['targetRefs']);
  if (fields === undefined || target === 'unreadable' || list === 'unreadable') return 'unreadable';
  const targets = [...(target === undefined ? [] : [target]), ...(list ?? [])];
  return targets.some((each) => checkTarget(each, [], rules).length > 0) ? 'unreadable' : targets;
}

export function targetsText(targets: readonly TargetRefManifest[]): string {
  return targets.map(({ kind, name }) => `${kind} ${name}`).join(', ');
}
