/**
 * What proxies count of their certificates and of whom they trust:
 *
 *   clearmesh_certificate_expiry_seconds        time until the first certificate in use runs out; negative when it did
 *   clearmesh_certificates_failing              identities whose last request to the authority failed
 *   clearmesh_trust_file_failures_total{file}   states of the files of roots (`roots`) and revocations (`crl`) that were of no use
 *   clearmesh_crl_due_seconds                   time until the first revocation list is due to be replaced; negative when late
 *   istio_crl_policy_rejections_total{reporter} peers refused or cut since they are revoked
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { CertificateHealth } from '../certificates/certificate-store.ts';
import type { PeerTrustMetrics, Reporter, TrustFile } from '../certificates/peer-trust.ts';
import type { Clock } from '../lifecycle/clock.ts';

export type CertificateFacts = {
  readonly certificates: { readonly health: CertificateHealth };
  readonly trust: { readonly listsDueMs: number | undefined };
};

export class CertificateMetrics implements PeerTrustMetrics {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #failures: Counter;
  readonly #rejections: Counter;

  constructor(deps: { readonly registry: Registry; readonly clock: Clock }) {
    this.#registry = deps.registry;
    this.#clock = deps.clock;
    const registers = [deps.registry];
    this.#failures = new Counter({
      name: 'clearmesh_trust_file_failures_total',
      help: 'States of the files of roots and revocation lists that could not be used',
      labelNames: ['file'],
      registers,
    });
    this.#rejections = new Counter({
      name: 'istio_crl_policy_rejections_total',
      help: 'Peers refused or cut since a revocation list names their certificate',
      labelNames: ['reporter'],
      registers,
    });
  }

  /** From now on a scrape tells of these. */
  observe({ certificates, trust }: CertificateFacts): void {
    this.#gauge('clearmesh_certificates_failing', 'Identities whose last request for a certificate failed', () => {
      return certificates.health.failing;
    });
    this.#gauge('clearmesh_certificate_expiry_seconds', 'Time until the first certificate in use runs out', () =>
      this.#secondsTo(certificates.health.firstExpiryMs),
    );
    this.#gauge('clearmesh_crl_due_seconds', 'Time until the first revocation list is due to be replaced', () =>
      this.#secondsTo(trust.listsDueMs),
    );
  }

  trustFileFailed(file: TrustFile): void {
    this.#failures.inc({ file });
  }

  peerRevoked(reporter: Reporter): void {
    this.#rejections.inc({ reporter });
  }

  #secondsTo(timeMs: number | undefined): number | undefined {
    return timeMs === undefined ? undefined : Math.round((timeMs - this.#clock.now()) / 1000);
  }

  #gauge(name: string, help: string, read: () => number | undefined): void {
    const metric: Gauge = new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        const value = read();
        // Without a value there is no series: 0 would alert.
        if (value === undefined) metric.remove();
        else metric.set(value);
      },
    });
  }
}
