import { request } from 'node:https';
import { once } from 'node:events';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { createLogger } from '@clearmesh/shared/observe/log';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { createMetrics } from '../../src/admin/control-plane-metrics.ts';
import { review } from '../../src/admit/review.ts';
import { WebhookServer } from '../../src/admit/webhook-server.ts';
import type { IncomingMessage } from 'node:http';

describe('WebhookServer', () => {
  const metrics = createMetrics();
  let server: WebhookServer;
  let ca: string;

  beforeEach(async () => {
    const authority = await TestAuthority.create();
    ca = authority.rootPem;
    const { certPem, keyPem } = await authority.issue({ ips: ['127.0.0.1'] });
    server = await WebhookServer.listen(
      { listen: { ip: parseIp('127.0.0.1')!, port: 0 }, maxBytes: 1000 },
      {
        credentials: { cert: certPem, key: keyPem },
        review: (question) => review(question, { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' }),
        metrics,
        logger: createLogger('test', { write: () => {} }),
      },
      AbortSignal.timeout(5000),
    );
  });
  afterEach(() => server[Symbol.asyncDispose]());

  async function ask(method: string, path: string, body = ''): Promise<{ readonly status: number; readonly text: string }> {
    const sent = request({ method, path, host: '127.0.0.1', port: server.address.port, ca, agent: false });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString('utf8');
    return { status: response.statusCode ?? 0, text };
  }

  it('answers a question, whatever stands behind the path', async () => {
    const asked = { uid: 'u-1', operation: 'DELETE' };
    const question = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asked };
    const { status, text } = await ask('POST', '/validate?timeout=5s', JSON.stringify(question));
    expect(status).to.equal(200);
    expect(JSON.parse(text)).to.deep.equal({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u-1', allowed: true },
    });
    expect(metrics.registry.text()).to.contain('clearmesh_admission_reviews_total{result="allowed"} 1');
  });

  const refused: readonly [string, string, string, string, number][] = [
    ['what is no JSON', 'POST', '/validate', '{', 400],
    ['what is no question', 'POST', '/validate', '{}', 400],
    ['nothing', 'POST', '/validate', '', 400],
    ['more than it may hold', 'POST', '/validate', 'x'.repeat(1001), 413],
    ['another method', 'GET', '/validate', '', 405],
    ['another path', 'POST', '/mutate', '{}', 404],
  ];
  for (const [title, method, path, body, status] of refused) {
    it(`refuses ${title}`, async () => {
      expect((await ask(method, path, body)).status).to.equal(status);
    });
  }

  it('says that its address cannot be used', async () => {
    const deps = { credentials: { cert: '', key: '' }, review: () => ({ kind: 'malformed' as const }), metrics };
    const logger = createLogger('test', { write: () => {} });
    const again = WebhookServer.listen({ listen: server.address }, { ...deps, logger }, AbortSignal.timeout(5000));
    const error = await again.then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).to.have.property('code', 'MESH-CONFIG-003');
    expect(error?.message).to.match(/^--webhook: 127\.0\.0\.1:\d+/);
  });
});
