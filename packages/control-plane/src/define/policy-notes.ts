/** What the definitions say of RateLimitPolicy, OpaPolicy, FaultExperiment and BankingDomain. */
import { durationNote, notesBelow, positiveNote } from './field-note.ts';
import { resilienceNotes } from './resilience-notes.ts';
import { matchNotes, redisNotes, targetNotes } from './shared-notes.ts';
import type { FieldNotes } from './field-note.ts';

export const resiliencePolicyNotes: FieldNotes = { ...targetNotes, ...resilienceNotes };

export const rateLimitNotes: FieldNotes = {
  '': {
    rules: [
      {
        rule: "has(self.redis) || self.limits.all(limit, !has(limit.scope) || limit.scope != 'global')",
        message: 'a limit of scope global needs a store to count in. Add redis, or write scope: local.',
        fieldPath: '.limits',
      },
    ],
  },
  ...targetNotes,
  limits: {
    description: 'Each of them must let a request through.',
    bounds: { minItems: 1, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  },
  'limits[].name': 'In answers, logs and metrics; each once.',
  'limits[].scope':
    'local: each replica of the waypoint counts for itself. global: they count together, in redis. Default: local.',
  ...matchNotes('limits[].matches', 'Which requests are counted, by one of these. Nothing written: all.'),
  'limits[].key': 'What is counted apart. Nothing written: all requests together.',
  'limits[].key[]': {
    rules: [
      {
        rule: "self.type != 'header' || has(self.name)",
        message: 'name is missing. Name the header that makes the key.',
      },
      {
        rule: "self.type == 'header' || !has(self.name)",
        message: 'name has no effect beside a type other than header. Remove it.',
        fieldPath: '.name',
      },
    ],
  },
  'limits[].key[].type': 'identity and namespace are the proven ones of the caller; header needs a name.',
  'limits[].key[].name': 'Of the header, for type header.',
  'limits[].requests': 'That are let through in a window.',
  'limits[].window': positiveNote('How long a window is.', 'Write a duration, such as 1s.'),
  'limits[].burst': 'That may come at once. Default: requests.',
  'limits[].shadow': 'Counts, and refuses nothing. Default: false.',
  redis: 'Where limits of scope global count.',
  ...notesBelow('redis', redisNotes),
  onStoreFailure: 'What becomes of requests while redis is away: allow, deny, or local, counted by each replica. Default: allow.',
};

export const opaNotes: FieldNotes = {
  ...targetNotes,
  engine: {
    description: 'Who decides: one of wasm and server.',
    rules: [{ rule: 'has(self.wasm) != has(self.server)', message: 'names no engine, or two. Write one of wasm and server.' }],
  },
  'engine.wasm': 'A bundle that the waypoint runs itself.',
  'engine.wasm.bundle': 'File or folder of the waypoint, as opa build -t wasm makes it.',
  'engine.wasm.watchdog': positiveNote(
    'After which a decision is given up. Default: 50ms.',
    'Write a duration, such as 50ms; or leave it out.',
  ),
  'engine.server': 'An OPA that runs elsewhere.',
  'engine.server.url': 'http://host:port, without credentials.',
  path: 'Of the rule. Default: envoy/authz/allow.',
  timeout: positiveNote(
    'For a decision; without one nothing passes. Default: 200ms.',
    'Write a duration, such as 200ms; or leave it out.',
  ),
  body: 'Given to the rule; nothing written: bodies are not.',
  'body.maxBytes': 'Of a body. Default: 65536.',
  'body.allowPartial': 'A longer one is cut instead of refused (413). Default: false.',
  cache: 'Decisions that are kept.',
  'cache.ttl': {
    ...durationNote('How long; at most 30s.'),
    rules: [
      {
        rule: "duration(self) <= duration('30s')",
        message: 'is too long. Write at most 30s: a decision that is kept longer outlives what it was made from.',
      },
    ],
  },
  'cache.inputs': {
    description: 'Everything of the input that the rule reads, such as attributes.request.http.method.',
    bounds: { minItems: 1 },
  },
  contextExtensions: 'Given to the rule as attributes.contextExtensions.',
};

export const faultNotes: FieldNotes = {
  '': {
    rules: [
      {
        rule: 'has(self.delay) || has(self.abort) || has(self.throttleKibPerSecond) || (has(self.reset) && self.reset)',
        message: 'injects no fault. Add one of delay, abort, throttleKibPerSecond and reset.',
      },
      {
        rule: '!has(self.abort) || !has(self.reset) || !self.reset',
        message: 'reset contradicts abort beside it. Keep one of the two.',
        fieldPath: '.reset',
      },
      {
        rule: 'self.owner.trim().lowerAscii() != self.approver.trim().lowerAscii()',
        message: 'approver must not be the owner. Have a second person approve it, and name that person.',
        fieldPath: '.approver',
      },
    ],
  },
  ...targetNotes,
  startsAt: 'RFC 3339, with a zone.',
  ttl: {
    ...durationNote('After which it ends by itself; at most 60m. Default: 15m.'),
    rules: [
      { rule: "duration(self) > duration('0s')", message: 'must be longer than nothing. Write a duration, such as 15m.' },
      { rule: "duration(self) <= duration('60m')", message: 'is longer than an hour. Write at most 60m.' },
    ],
  },
  owner: 'Who answers for it.',
  approver: 'Who agreed to it: somebody else.',
  ...matchNotes('matches', 'Which requests are hurt, by one of these. Nothing written: all.'),
  callers: 'Whose requests are hurt, as namespace/account or as a whole SPIFFE id. Nothing written: everybody’s.',
  percent: {
    description: 'Of those requests. Default: 1.',
    rules: [{ rule: 'self > 0.0', message: 'lets nothing happen. Write more, or remove the experiment.' }],
  },
  maxActive: 'Requests that are hurt at once. Default: 10.',
  delay: positiveNote('Before the request is dispatched.', 'Write a duration, such as 200ms; or leave it out.'),
  abort: 'Answered instead of dispatching.',
  'abort.status': 'Of HTTP.',
  'abort.grpcStatus': 'Of gRPC, for its requests.',
  throttleKibPerSecond: 'How fast the answer is passed on.',
  reset: 'The connection is cut instead of answering. Default: false.',
};

const useless = (field: string): string => `${field} has no effect without a waypoint. Add spec.waypoint, or remove it.`;

export const domainNotes: FieldNotes = {
  '': {
    rules: [
      { rule: '!has(self.criticality) || has(self.waypoint)', message: useless('criticality'), fieldPath: '.criticality' },
      {
        rule: '!has(self.defaults) || !has(self.defaults.resilience) || has(self.waypoint)',
        message: useless('defaults.resilience'),
        fieldPath: '.defaults',
      },
    ],
  },
  namespaces: {
    description: 'That belong to it; each to one domain at most.',
    bounds: { minItems: 1, 'x-kubernetes-list-type': 'set' },
  },
  waypoint: {
    description: 'The Gateway that Services of these namespaces use, where neither they nor their namespace names another one.',
    rules: [
      {
        rule: "self.name != 'none'",
        message: 'name means that there is no waypoint. Name a Gateway, or leave spec.waypoint out.',
        fieldPath: '.name',
      },
    ],
  },
  'waypoint.name': 'Of the Gateway.',
  'waypoint.namespace': 'Of the Gateway.',
  criticality: 'A word, such as high, that the traces of the waypoint carry.',
  defaults: 'What holds where no other policy does.',
  'defaults.resilience': 'As spec of a ResiliencePolicy, without targets.',
  ...notesBelow('defaults.resilience', resilienceNotes),
};
