/** Real handshakes: what node:tls puts on the wire, caught between two ends in this process. */
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';

export type Handshake = { readonly toServer: Buffer; readonly toClient: Buffer };

/** A TLS connection that says `ping` and `pong`, or ends in an error, as bytes of both directions. */
export async function handshake(options: {
  readonly client?: tls.ConnectionOptions;
  readonly server?: tls.TlsOptions;
}): Promise<Handshake> {
  const authority = await TestAuthority.create();
  const { certPem, keyPem } = await authority.issue({ dnsNames: ['ledger'] });
  const [left, right] = recordedPair();
  const server = new tls.TLSSocket(right.end, { isServer: true, cert: certPem, key: keyPem, ...options.server });
  const client = tls.connect({ socket: left.end, ca: authority.rootPem, servername: 'ledger', ...options.client });
  const done = Promise.withResolvers<void>();
  server.on('data', () => server.write('pong')).on('error', () => {});
  client.on('secureConnect', () => client.write('ping'));
  client.on('data', () => done.resolve()).on('error', () => done.resolve());
  await done.promise;
  client.destroy();
  server.destroy();
  return { toServer: Buffer.concat(left.written), toClient: Buffer.concat(right.written) };
}

type Recorded = { readonly end: Duplex; readonly written: Buffer[] };

function recordedPair(): readonly [Recorded, Recorded] {
  const ends: Recorded[] = [];
  const make = (other: () => Recorded): Recorded => {
    const written: Buffer[] = [];
    const end = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, callback) => {
        written.push(chunk);
        other().end.push(chunk);
        callback();
      },
      final: (callback) => {
        other().end.push(null);
        callback();
      },
    });
    return { end, written };
  };
  ends.push(
    make(() => ends[1]!),
    make(() => ends[0]!),
  );
  return [ends[0]!, ends[1]!];
}
