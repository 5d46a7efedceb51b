/**
 * Whom a proxy trusts beyond the roots that come with its certificates: a file of further roots, and a file of revocation
 * lists. Both may change at any time.
 *
 * T1  A new file counts for the next handshake; no connection is lost by a new root.
 * T2  A file that cannot be used leaves what was read before in force, and says so: log and metric.
 * T3  A new list is held against every connection that is open; those it revokes are cut at once.
 */
import { X509Certificate } from 'node:crypto';
import { splitPemBundle } from '../identity/certificate.ts';
import { WatchedFile } from '../lifecycle/watched-file.ts';
import type { FileContent } from '../lifecycle/watched-file.ts';
import type { Cancel, Clock } from '../lifecycle/clock.ts';
import type { Logger } from '../observe/log.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { HandshakeFailure } from '../tls/handshake-failure.ts';
import { readRevocationLists, revokedIn } from '../tls/revocation-list.ts';
import type { RevocationList } from '../tls/revocation-list.ts';

export type PeerTrustOptions = {
  /** PEM file of roots trusted beside those of each certificate. @default none */
  readonly rootsPath?: string | undefined;
  /** File of revocation lists, PEM or DER. @default nothing is revoked */
  readonly crlPath?: string | undefined;
};

export type TrustFile = 'roots' | 'crl';

export type Reporter = 'source' | 'destination';

export type PeerTrustMetrics = {
  trustFileFailed(file: TrustFile): void;
  peerRevoked(reporter: Reporter): void;
};

export type PeerTrustDeps = { readonly clock: Clock; readonly logger: Logger; readonly metrics: PeerTrustMetrics };

/** A peer with a verified chain, and the roots it was verified with. */
export type VerifiedPeer = {
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly roots: readonly string[];
  readonly reporter: Reporter;
};

type OpenConnection = { readonly peer: VerifiedPeer; readonly cut: () => void };

/** What a ConfigMap may hold at most. */
const maxBytes = 1024 * 1024;

const maxRoots = 64;

/** Between two looks for lists that ran out, milliseconds. */
const expiryCheckMs = 3_600_000;

export class PeerTrust implements Disposable {
  readonly #deps: PeerTrustDeps;
  readonly #crlPath: string | undefined;
  readonly #files = new DisposableStack();
  readonly #open = new Map<object, OpenConnection>();
  #roots: readonly string[] = [];
  #lists: readonly RevocationList[] = [];
  #expiryCheck: Cancel | undefined;

  private constructor(options: PeerTrustOptions, deps: PeerTrustDeps) {
    this.#deps = deps;
    this.#crlPath = options.crlPath;
  }

  /** Resolves when both files were looked at once; a file that cannot be used is no reason to reject. */
  static async open(options: PeerTrustOptions, deps: PeerTrustDeps): Promise<PeerTrust> {
    const trust = new PeerTrust(options, deps);
    const { rootsPath, crlPath } = options;
    if (rootsPath !== undefined) await trust.#watch('roots', rootsPath, (content) => trust.#recvRoots(rootsPath, content));
    if (crlPath !== undefined) {
      await trust.#watch('crl', crlPath, (content) => trust.#recvLists(crlPath, content));
      trust.#watchExpiry();
    }
    return trust;
  }

  /** PEM; another array after each change, and only then. */
  get roots(): readonly string[] {
    return this.#roots;
  }

  /** When the first of the lists in force is due to be replaced, milliseconds since the epoch. */
  get listsDueMs(): number | undefined {
    const due = this.#lists.map(({ nextUpdate }) => nextUpdate).filter((time) => time !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Connections held against each new list. */
  get trackedCount(): number {
    return this.#open.size;
  }

  /** Why a peer is refused; `undefined` when nothing speaks against it. */
  check(peer: VerifiedPeer): HandshakeFailure | undefined {
    const revoked = revokedIn(peer.certificate, this.#lists, peer.roots);
    if (revoked === undefined) return undefined;
    this.#deps.metrics.peerRevoked(peer.reporter);
    return { reason: 'revoked', detail: `${revoked} is on the revocation list ${this.#crlPath}` };
  }

  /** Until it is cancelled, `cut` is called as soon as a list revokes the peer; at once if one does already. */
  track(peer: VerifiedPeer, cut: () => void): Cancel {
    if (this.#crlPath === undefined) return () => {};
    const key = {};
    this.#open.set(key, { peer, cut });
    // First registered, then checked: a list that came since the handshake is not missed.
    if (this.#lists.length > 0) this.#recheck(key, { peer, cut });
    return () => void this.#open.delete(key);
  }

  [Symbol.dispose](): void {
    this.#files.dispose();
    this.#expiryCheck?.();
    this.#open.clear();
  }

  #watch(file: TrustFile, path: string, recv: (content: FileContent) => void): Promise<void> {
    const onFailure = (error: Error): void => this.#recvUnusable(file, path, error);
    const onContent = (content: FileContent): void => {
      try {
        recv(content);
      } catch (thrown) {
        onFailure(thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    };
    return this.#files.use(new WatchedFile({ path, maxBytes }, { clock: this.#deps.clock, onContent, onFailure })).start();
  }

  #recvRoots(path: string, content: FileContent): void {
    if (content === undefined && this.#roots.length === 0)
      return this.#deps.logger.info('no file of further roots; those of each certificate are trusted', { path });
    const roots = readRoots(content);
    this.#roots = roots;
    this.#deps.logger.info('roots read', { path, count: roots.length });
  }

  #recvLists(path: string, content: FileContent): void {
    const { logger } = this.#deps;
    this.#lists = content === undefined ? [] : readRevocationLists(content);
    const revoked = this.#lists.reduce((sum, { serials }) => sum + serials.size, 0);
    logger.info('revocation lists read', { path, lists: this.#lists.length, revoked });
    this.#warnOfExpiry();
    let cut = 0;
    for (const [key, connection] of this.#open) if (this.#recheck(key, connection)) cut += 1;
    if (cut > 0) logger.warn('open connections of revoked peers were cut', { path, count: cut });
  }

  /** T3. */
  #recheck(key: object, { peer, cut }: OpenConnection): boolean {
    if (this.check(peer) === undefined) return false;
    this.#open.delete(key);
    cut();
    return true;
  }

  /** T2. */
  #recvUnusable(file: TrustFile, path: string, cause: Error): void {
    const { metrics, logger } = this.#deps;
    metrics.trustFileFailed(file);
    const what = file === 'roots' ? 'the file of roots' : 'the revocation list';
    const { message, hint } = new MeshError('MESH-CERT-002', {
      message: `${what} ${path} cannot be used: ${cause.message}`,
      hint: `Mend the file; it is read again within seconds. Until then ${file === 'roots' ? 'the roots' : 'the lists'} read before stay in force.`,
      cause,
    });
    logger.error(message, { hint, kept: file === 'roots' ? this.#roots.length : this.#lists.length });
  }

  #watchExpiry(): void {
    this.#expiryCheck = this.#deps.clock.after(expiryCheckMs, () => {
      this.#warnOfExpiry();
      this.#watchExpiry();
    });
  }

  #warnOfExpiry(): void {
    const due = this.listsDueMs;
    if (due === undefined || due > this.#deps.clock.now()) return;
    this.#deps.logger.warn('a revocation list is past its next update; it stays in force, but later revocations are missing', {
      path: this.#crlPath,
      due: new Date(due).toISOString(),
    });
  }
}

/** All or nothing: half a bundle would refuse half of the mesh. */
function readRoots(content: FileContent): readonly string[] {
  if (content === undefined) throw new Error('it is gone');
  const roots = splitPemBundle(Buffer.from(content).toString('utf8'));
  if (roots.length === 0) throw new Error('it holds no PEM certificate');
  if (roots.length > maxRoots) throw new Error(`it holds ${roots.length} certificates, more than ${maxRoots}`);
  for (const [index, root] of roots.entries()) {
    if (!new X509Certificate(root).ca) throw new Error(`certificate ${index + 1} is no authority (basicConstraints)`);
  }
  return roots;
}
