/** A certificate authority inside the proxy that uses it, for tests and for looking at a mesh of one machine. */
import { readSigningRequest } from '../certify/signing-request.ts';
import { issueLeaf } from '../certify/leaf.ts';
import { createRoot, readRoot } from '../certify/root-authority.ts';
import { openRoot } from '../certify/root-store.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Random } from '../lifecycle/random.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

export type SelfMadeAuthorityOptions = {
  /** In the root's name. */
  readonly trustDomain: string;
  /** Where the root is kept; who shares it trusts each other. @default in memory */
  readonly directory?: string;
};

/** Signs whatever it is asked for. It brings a library of 33 MiB along: import it only where it is used. */
export async function openSelfMadeAuthority(
  { trustDomain, directory }: SelfMadeAuthorityOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<CertificateAuthority> {
  const root =
    directory === undefined
      ? readRoot(await createRoot({ trustDomain, nowMs: clock.now() }), clock.now())
      : await openRoot({ stateDirectory: directory, trustDomain }, { clock, random });
  return {
    sign: async (csrPem, identity, validitySeconds) => {
      const request = await readSigningRequest(csrPem);
      if (request.kind === 'refused') throw new MeshError('MESH-CERT-001', { message: request.reason });
      const leaf = await issueLeaf(root, {
        publicKey: request.publicKey,
        names: [{ type: 'url', value: identity }],
        nowMs: clock.now(),
        lifetimeMs: validitySeconds * 1000,
      });
      return { chain: [leaf.pem, root.rootPem] };
    },
  };
}
