/** What the streams of a tunnel fail with when its peer's certificate is revoked while they are open. */
export class PeerRevoked extends Error {
  override readonly name = 'PeerRevoked';

  constructor() {
    super('the certificate of the peer was revoked');
  }
}
