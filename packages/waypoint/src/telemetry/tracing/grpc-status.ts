/** gRPC status codes as telemetry names them (grpc.io statuscodes; OpenTelemetry's gRPC conventions). */

const names = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export function grpcStatusName(code: number): string {
  return names[code] ?? String(code);
}

/** What a server is to blame for: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
export const serverErrors: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Everything but OK. */
export const clientErrors: ReadonlySet<number> = new Set(names.keys().filter((code) => code > 0));
