/** RST_STREAM CONNECT_ERROR: the connection at the other end of the tunnel was reset, or it failed (RFC 9113 section 8.5). */
export class ConnectionReset extends Error {
  override readonly name = 'ConnectionReset';
  readonly code = 'ECONNRESET';

  constructor() {
    super('the connection was reset at the other end of the tunnel');
  }
}
