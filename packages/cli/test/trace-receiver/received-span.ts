import type { ReceivedSpan } from '../../src/trace-receiver/span.ts';

/** A span of trace a…a that starts with the year; `changes` says what matters. */
export function span(id: string, changes: Partial<ReceivedSpan> = {}): ReceivedSpan {
  return {
    traceId: 'a'.repeat(32),
    spanId: id.padStart(16, '0'),
    name: `span ${id}`,
    kind: 'server',
    startMs: Date.UTC(2026, 0, 1),
    durationMs: 10,
    status: 'unset',
    service: 'waypoint',
    attributes: {},
    ...changes,
  };
}
