/** Certificates, service-account keys and kubeconfigs of a cluster, as files in one folder. */
import { Buffer } from 'node:buffer';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TestAuthority } from '../test-authority.ts';

/** Longer than any cluster of a test lives. */
const lifetimeMs = 30 * 24 * 3_600_000;

export type ClusterUser = {
  readonly user: string;
  /** @default none */
  readonly groups?: readonly string[];
};

export const clusterAdmin: ClusterUser = { user: 'kubernetes-admin', groups: ['system:masters'] };

export class ClusterCredentials {
  readonly directory: string;
  readonly #authority: TestAuthority;

  private constructor(directory: string, authority: TestAuthority) {
    this.directory = directory;
    this.#authority = authority;
  }

  /**
   * Makes the folder with ca.crt, apiserver.crt and .key, kubelet-client.crt and .key, sa.key and sa.pub.
   * @param server the names and addresses by which clients call the API server
   */
  static async create(
    directory: string,
    server: { readonly dnsNames: readonly string[]; readonly ips: readonly string[] },
  ): Promise<ClusterCredentials> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const credentials = new ClusterCredentials(directory, await TestAuthority.create({ name: 'cluster' }));
    await credentials.#write('ca.crt', credentials.#authority.rootPem);
    await credentials.serverCertificate('apiserver', server);
    const client = await credentials.#clientCertificate({ user: 'kube-apiserver-kubelet-client', groups: ['system:masters'] });
    await credentials.#write('kubelet-client.crt', client.certPem);
    await credentials.#write('kubelet-client.key', client.keyPem);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await credentials.#write('sa.key', privateKey.export({ type: 'pkcs1', format: 'pem' }));
    await credentials.#write('sa.pub', publicKey.export({ type: 'spki', format: 'pem' }));
    return credentials;
  }

  /** Writes `<name>.crt` and `<name>.key`. */
  async serverCertificate(
    name: string,
    server: { readonly dnsNames: readonly string[]; readonly ips: readonly string[] },
  ): Promise<void> {
    const notAfter = Date.now() + lifetimeMs;
    const issued = await this.#authority.issue({ subject: `CN=${name}`, ...server, criticalSan: false, notAfter });
    await this.#write(`${name}.crt`, issued.certPem);
    await this.#write(`${name}.key`, issued.keyPem);
  }

  /** Writes `<name>.kubeconfig`, which needs no other file, and gives its path. */
  async kubeconfig(name: string, who: ClusterUser, server: string): Promise<string> {
    const { certPem, keyPem } = await this.#clientCertificate(who);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'clearmesh', cluster: { server, 'certificate-authority-data': base64(this.#authority.rootPem) } }],
      users: [{ name: who.user, user: { 'client-certificate-data': base64(certPem), 'client-key-data': base64(keyPem) } }],
      contexts: [{ name: 'clearmesh', context: { cluster: 'clearmesh', user: who.user } }],
      'current-context': 'clearmesh',
    };
    return this.#write(`${name}.kubeconfig`, `${JSON.stringify(config, undefined, 2)}\n`);
  }

  /** The certificate that everybody in the cluster trusts. */
  get rootPem(): string {
    return this.#authority.rootPem;
  }

  #clientCertificate({ user, groups = [] }: ClusterUser): Promise<{ readonly certPem: string; readonly keyPem: string }> {
    const subject = [`CN=${user}`, ...groups.map((group) => `O=${group}`)].join(',');
    return this.#authority.issue({ subject, usages: ['clientAuth'], notAfter: Date.now() + lifetimeMs });
  }

  async #write(name: string, content: string | Buffer): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
