/** What the definitions say of ResiliencePolicy, and of the same part of BankingDomain. */
import { durationNote, notesBelow, notLonger, positiveNote } from './field-note.ts';
import { redisNotes } from './shared-notes.ts';
import type { FieldNotes } from './field-note.ts';

const codes = `(has(self.conditions) && 'retriable-status-codes' in self.conditions)`;

const timeouts: FieldNotes = {
  '': {
    description: 'How long things may take.',
    rules: [notLonger('backendRequest', 'request'), notLonger('minService', 'request')],
  },
  request: durationNote('For a request with all its attempts. 0s, or nothing written: no limit of its own.'),
  backendRequest: durationNote(
    'For one attempt, until its response begins; at most as long as request. 0s, or nothing written: no limit of its own.',
  ),
  idle: durationNote('For a stream on which nothing moves. Default: 5m.'),
  connect: durationNote('For a connection to an endpoint. Default: 5s.'),
  minService: durationNote('With less than that left of its deadline a request is not dispatched. Default: 0s.'),
};

const retry: FieldNotes = {
  '': {
    description:
      'What is sent again. What may have reached the service is sent again only for methods that are idempotent, whatever stands here.',
    rules: [
      {
        rule: `!${codes} || (has(self.statusCodes) && size(self.statusCodes) > 0)`,
        message: 'statusCodes is missing. Name the codes that retriable-status-codes means.',
      },
      {
        rule: `!has(self.statusCodes) || size(self.statusCodes) == 0 || ${codes}`,
        message:
          'statusCodes has no effect without the condition retriable-status-codes. Add it to conditions, or remove the codes.',
        fieldPath: '.statusCodes',
      },
    ],
  },
  attempts: 'After the first one. Default: 1.',
  conditions: 'What is worth another attempt. Default: connect-failure, refused-stream, reset-before-request.',
  statusCodes: 'Answers that the condition retriable-status-codes means.',
  backoff: { description: 'How long to wait before another attempt.', rules: [notLonger('base', 'max')] },
  'backoff.base': durationNote(
    'The first wait is at random up to it, each further one up to about twice the one before. Default: 25ms.',
  ),
  'backoff.max': durationNote('The longest wait. Default: ten times base.'),
  budget: 'How many attempts there may be beside first ones.',
  'budget.percent': 'Of the requests of the interval. Default: 20.',
  'budget.interval': positiveNote('What is counted. Default: 10s.'),
  'budget.minPerSecond': 'Further attempts that are always allowed, each second. Default: 10.',
  maxReplayBytes: 'A body up to this length is kept, to be sent again. Default: 65536.',
  grpcIdempotent: 'gRPC methods that may be sent twice, such as /ledger.Ledger/Balance.',
};

const idempotency: FieldNotes = {
  '': {
    description: 'Requests with a key are dispatched once.',
    rules: [
      notLonger('lease', 'ttl'),
      {
        rule: '!has(self.waitReplicas) || self.waitReplicas == 0 || has(self.redis)',
        message: 'waitReplicas waits for replicas of a store that is none. Name redis, or leave it out.',
        fieldPath: '.waitReplicas',
      },
    ],
  },
  mode: 'key: the waypoint dispatches a key once, and answers the same key alike. native: the service itself does.',
  header: 'That holds the key. Default: idempotency-key.',
  required: 'A request of these methods without a key is refused (400). Default: false.',
  ttl: positiveNote('How long a key is remembered. Default: 24h.'),
  lease: positiveNote('How long a request may be under way before its outcome counts as unknown. Default: 60s.'),
  redis: 'Where replicas share keys. Nothing written: in memory, which is right for one replica only.',
  ...notesBelow('redis', redisNotes),
  methods: 'That carry keys. Default: POST, PATCH.',
  maxBodyBytes: 'Of an answer that is kept, to be given again. Default: 262144.',
  waitReplicas: 'Replicas of Redis that must have a key before it is dispatched. Default: 0.',
};

const circuitBreaker: FieldNotes = {
  '': {
    description: 'When a backend is left alone: by route and backend.',
    rules: [notLonger('open', 'maxOpen')],
  },
  errorThresholdPercent: 'Failures among the requests of the window. Default: 50.',
  volumeThreshold: 'Requests of the window before they count. Default: 20.',
  window: positiveNote('What is counted. Default: 10s.'),
  open: positiveNote('How long nothing is sent, before one request tries again. Default: 1s.'),
  maxOpen: positiveNote('Up to which that doubles while the trials fail. Default: 60s.'),
};

const outlierDetection: FieldNotes = {
  '': {
    description: 'When a single endpoint is left alone.',
    rules: [notLonger('baseEjection', 'maxEjection')],
  },
  consecutive5xx: 'Answers of 5xx in a row. Default: 5.',
  consecutiveLocal: 'Connections in a row that failed or were reset. Default: 5.',
  interval: positiveNote('Between two looks at who may come back. Default: 10s.'),
  baseEjection: positiveNote('Of the first time; the second is twice as long, and so on. Default: 30s.'),
  maxEjection: positiveNote('Up to which that grows. Default: 5m.'),
  maxEjectionPercent: 'Of the endpoints that may be left alone at once. Default: 50 below ten endpoints, else 10.',
  panicPercent: 'With fewer healthy endpoints than that there is panic. Default: 50.',
  panic: 'What happens then: spread to all endpoints, or fail. Default: spread; fail for the class money-movement.',
};

const limits: FieldNotes = {
  '': 'What may run at once. What is more is refused, and never dispatched.',
  maxConnections: 'Connections to the backend. Default: 1024.',
  maxPending: 'Requests that wait for a connection. Default: 1024.',
  maxRequests: 'Requests under way. Default: 1024.',
  maxRetries: 'Attempts under way beside first ones. Default: 3.',
  maxUpgraded: 'Connections that were upgraded, such as WebSockets. Default: 16384.',
  maxRequestBytes: 'Of a body; a longer one is refused (413). Nothing written: no limit.',
};

/** Below the part; `` is the part itself. */
export const resilienceNotes: FieldNotes = {
  class:
    'What is at stake. money-movement: faults are never injected, and too few healthy endpoints fail rather than spread. Default: standard.',
  ...notesBelow('timeouts', timeouts),
  ...notesBelow('retry', retry),
  ...notesBelow('idempotency', idempotency),
  ...notesBelow('circuitBreaker', circuitBreaker),
  ...notesBelow('outlierDetection', outlierDetection),
  ...notesBelow('limits', limits),
  loadBalancing: 'How the fastest endpoint is found.',
  'loadBalancing.initialRtt': positiveNote('Assumed of an endpoint that has not answered yet. Default: 30ms.'),
  'loadBalancing.decay': positiveNote('After which what was measured counts little. Default: 10s.'),
};
