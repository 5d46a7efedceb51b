import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { CertificateMetrics } from '../../src/admin/certificate-metrics.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

describe('CertificateMetrics', () => {
  it('shows the time to the first expiry, negative after it, and no series where there is no certificate', async () => {
    const [registry, clock] = [new Registry(), new FakeClock()];
    const metrics = new CertificateMetrics({ registry, clock });
    const certificates = { health: { failing: 0 } as { failing: number; firstExpiryMs?: number } };
    metrics.observe({ certificates, trust: { listsDueMs: clock.now() + 60_000 } });
    expect(await registry.metrics()).to.not.match(/^clearmesh_certificate_expiry_seconds/m);
    certificates.health = { failing: 3, firstExpiryMs: clock.now() + 5_000 };
    clock.advance(15_000);
    const text = await registry.metrics();
    expect(text).to.match(/^clearmesh_certificate_expiry_seconds -10$/m);
    expect(text).to.match(/^clearmesh_certificates_failing 3$/m);
    expect(text).to.match(/^clearmesh_crl_due_seconds 45$/m);
  });

  it('counts files that were of no use, and revoked peers', async () => {
    const registry = new Registry();
    const metrics = new CertificateMetrics({ registry, clock: new FakeClock() });
    metrics.trustFileFailed('crl');
    metrics.peerRevoked('destination');
    const text = await registry.metrics();
    expect(text).to.include('clearmesh_trust_file_failures_total{file="crl"} 1');
    expect(text).to.include('istio_crl_policy_rejections_total{reporter="destination"} 1');
  });
});
