import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { createMeshContext } from '../../src/tls/mesh-context.ts';

describe('createMeshContext', () => {
  it('refuses to be made without roots, as OpenSSL would take the public web’s', async () => {
    const { certPem, keyPem } = await (await TestAuthority.create()).issue();
    expect(() => createMeshContext({ chain: [certPem], keyPem, roots: [] })).to.throw(/no root certificate/);
  });

  it('refuses a key that does not belong to the certificate', async () => {
    const authority = await TestAuthority.create();
    const [one, other] = await Promise.all([authority.issue(), authority.issue()]);
    expect(() => createMeshContext({ chain: [one.certPem], keyPem: other.keyPem, roots: [authority.rootPem] })).to.throw();
  });
});
