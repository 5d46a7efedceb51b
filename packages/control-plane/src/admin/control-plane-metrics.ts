/** What the control plane counts; docs/LIMITS and dashboards refer to these names. */
import { Metrics } from './metrics.ts';
import type { Counter, Gauge } from './metrics.ts';

export type ControlPlaneMetrics = {
  readonly registry: Metrics;
  /** By `result`: taken, rejected. */
  readonly configurationReadings: Counter;
  /** Seconds since the epoch at which the configuration in force was taken. */
  readonly configurationTaken: Gauge;
  /** Problems of objects that were left out of the configuration in force. */
  readonly configurationProblems: Gauge;
  /** Policies that cannot be read, and in whose place everybody, or plaintext, is refused. */
  readonly configurationStandIns: Gauge;
  /** Kinds that cannot be watched now. */
  readonly watchesFailing: Gauge;
  /** 1 while this replica writes to the cluster. */
  readonly leading: Gauge;
  /** By `kind`: workload, service, policy, waypoint. */
  readonly resources: Gauge;
  readonly discoveryClients: Gauge;
  /** By `type`. */
  readonly pushes: Counter;
  /** By `type`. */
  readonly nacks: Counter;
  /** By `rpc`. */
  readonly unauthenticated: Counter;
  /** By `result`: allowed, refused, malformed. */
  readonly admissionReviews: Counter;
  readonly certificatesIssued: Counter;
  /** By `reason`: unauthenticated, invalid. */
  readonly certificatesRefused: Counter;
  /** Seconds since the epoch. */
  readonly rootExpiry: Gauge;
  readonly rootPending: Gauge;
};

export function createMetrics(): ControlPlaneMetrics {
  const registry = new Metrics();
  return {
    registry,
    configurationReadings: registry.counter(
      'clearmesh_configuration_readings_total',
      'Readings of the configuration, by result.',
    ),
    configurationTaken: registry.gauge(
      'clearmesh_configuration_taken_timestamp_seconds',
      'When the configuration in force was taken.',
    ),
    configurationProblems: registry.gauge(
      'clearmesh_configuration_problems',
      'Problems of objects that were left out of the configuration in force.',
    ),
    configurationStandIns: registry.gauge(
      'clearmesh_configuration_stand_ins',
      'Policies that cannot be read and have no good version: whatever each is for is refused.',
    ),
    watchesFailing: registry.gauge('clearmesh_watches_failing', 'Kinds of objects that cannot be watched now.'),
    leading: registry.gauge('clearmesh_leading', '1 while this replica writes to the cluster.'),
    resources: registry.gauge('clearmesh_resources', 'Resources published, by kind.'),
    discoveryClients: registry.gauge('clearmesh_discovery_clients', 'Discovery streams open now.'),
    pushes: registry.counter('clearmesh_discovery_pushes_total', 'Discovery responses sent, by type.'),
    nacks: registry.counter('clearmesh_discovery_nacks_total', 'Discovery responses that a proxy rejected, by type.'),
    unauthenticated: registry.counter('clearmesh_unauthenticated_calls_total', 'Calls without a valid token, by RPC.'),
    admissionReviews: registry.counter(
      'clearmesh_admission_reviews_total',
      'Questions whether an object may be stored, by result.',
    ),
    certificatesIssued: registry.counter('clearmesh_certificates_issued_total', 'Workload certificates issued.'),
    certificatesRefused: registry.counter('clearmesh_certificates_refused_total', 'Certificate requests refused, by reason.'),
    rootExpiry: registry.gauge('clearmesh_root_certificate_expiry_timestamp_seconds', 'When the root certificate ends.'),
    rootPending: registry.gauge(
      'clearmesh_root_pending',
      '1 while the authority in the Secret is not the one in force: it waits, or may not take over.',
    ),
  };
}
