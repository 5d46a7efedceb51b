/** What the definitions say of parts that several kinds have. */
import { maxTargets, targetGroups } from '../manifest/target-ref.ts';
import { positiveNote } from './field-note.ts';
import type { TargetKind } from '../manifest/target-ref.ts';
import type { FieldNotes } from './field-note.ts';

/** That our own policies may name (checkRequiredTargets). */
const kinds: readonly TargetKind[] = ['Service', 'ServiceEntry', 'Gateway', 'Namespace'];
const groupOf = kinds.map((kind) => `self.kind == '${kind}' ? ${groupsText(targetGroups[kind])}`).join(' : ');

function groupsText(group: string): string {
  return group === '' ? "['', 'core']" : `['${group}']`;
}

/** With the path of the list. The own namespace is not known to a rule, so that the webhook judges what is in it. */
export const targetNotes: FieldNotes = {
  targetRefs: {
    description: `What it is for: ${kinds.join(', ')}, of the own namespace.`,
    bounds: { minItems: 1, maxItems: maxTargets },
  },
  'targetRefs[]': {
    rules: [
      {
        rule: `!has(self.group) || self.group in (${groupOf} : [self.group])`,
        message:
          'group is not the API group of kind. Write "" for Service and Namespace, networking.istio.io for ServiceEntry, gateway.networking.k8s.io for Gateway; or leave it out.',
        fieldPath: '.group',
      },
    ],
  },
  'targetRefs[].group': 'API group of the kind: "" for Service and Namespace. Default: that of the kind.',
  'targetRefs[].kind': { description: `One of ${kinds.join(', ')}.`, bounds: { enum: kinds } },
  'targetRefs[].name': 'Of the target; of a Namespace that of the own one.',
  'targetRefs[].namespace': 'The own one, if it is written at all.',
};

export const redisNotes: FieldNotes = {
  url: 'redis://host:port or rediss://host:port, with /number for a database; without credentials.',
  passwordFile: 'File of the waypoint that holds the password.',
  timeout: positiveNote('For an answer. Default: 100ms.', 'Write a duration, such as 100ms; or leave it out.'),
};

/** Of a list of matches at this path. */
export function matchNotes(path: string, description: string): FieldNotes {
  const named = (list: string, what: string): FieldNotes => ({
    // Two of one name: the webhook says so; to compare all pairs is too much for a rule.
    [`${path}[].${list}`]: `${what} that all have to match, a name once.`,
    [`${path}[].${list}[].type`]:
      'How value is meant: Exact, or RegularExpression, which must match the whole text. Default: Exact.',
    [`${path}[].${list}[].name`]: `Of ${list === 'headers' ? 'the header' : 'the parameter'}.`,
    [`${path}[].${list}[].value`]: 'What it must be.',
  });
  return {
    [path]: description,
    [`${path}[].path`]: {
      description: 'Of the path.',
      rules: [
        {
          rule: `!has(self.value) || (has(self.type) && self.type == 'RegularExpression') || self.value.startsWith('/')`,
          message: 'value must begin with /, or it never matches.',
          fieldPath: '.value',
        },
      ],
    },
    [`${path}[].path.type`]:
      'How value is meant: Exact, PathPrefix by whole segments, or RegularExpression, which must match the whole path. Default: PathPrefix.',
    [`${path}[].path.value`]: 'What it must be. Default: /.',
    ...named('headers', 'Headers'),
    ...named('queryParams', 'Parameters of the query'),
    [`${path}[].method`]: 'Of the request.',
  };
}
