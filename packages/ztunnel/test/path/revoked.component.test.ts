/** Revoked certificates, inbound and outbound, at the handshake and while a connection is open: flag CERT_REVOKED. */
import { mkdtempDisposable, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PeerTrust } from '@clearmesh/shared/certificates/peer-trust';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TestCertificates } from '@clearmesh/shared/testing/test-certificates';
import { Application, bounded, read, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';
import type { LogLine } from './mesh-bed.ts';

const parties = {
  client: { sees: 'inbound', reporter: 'destination' },
  server: { sees: 'outbound', reporter: 'source' },
} as const;

describe('a revoked certificate', () => {
  let stack: AsyncDisposableStack;
  let bed: MeshBed;
  let app: Application;
  let revoke: (who: keyof typeof parties) => Promise<void>;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    const { path } = stack.use(await mkdtempDisposable(join(tmpdir(), 'clearmesh-revoked-')));
    const clock = new FakeClock(Date.now());
    let noticed: () => void = () => {};
    const logger = { ...silentLogger, info: () => noticed() };
    const metrics = { trustFileFailed: () => {}, peerRevoked: () => {} };
    const crlPath = join(path, 'crl.pem');
    const trust = stack.use(await PeerTrust.open({ crlPath }, { clock, logger, metrics }));
    const certificates = await TestCertificates.create(trust);
    revoke = async (who) => {
      await writeFile(`${crlPath}.new`, await certificates.revoking(identity('bank', `${who}-sa`)));
      await rename(`${crlPath}.new`, crlPath);
      const seen = new Promise<void>((resolve) => (noticed = resolve));
      clock.advance(2_000);
      await bounded(seen, 'the list');
    };
    bed = stack.use(await MeshBed.create({ certificates }));
    app = stack.use(await Application.echo(serverIp));
  });
  afterEach(() => stack[Symbol.asyncDispose]());

  const flags = async (): Promise<readonly string[]> =>
    (await bed.metrics.registry.metrics()).split('\n').filter((line) => line.includes('CERT_REVOKED'));

  for (const [who, { sees, reporter }] of Object.entries(parties) as [
    keyof typeof parties,
    (typeof parties)['client' | 'server'],
  ][]) {
    it(`of the ${who} is refused ${sees}, and flagged`, async () => {
      await revoke(who);
      const client = await bed.call(app.port);
      expect((await untilEnd(client)).data.length).to.equal(0);
      expect(app.connections).to.have.length(0);
      const line: LogLine = await (who === 'client' ? bed.failed('inbound') : bed.complete('outbound'));
      expect(line['error']).to.match(/\(revoked\)/);
      expect(await flags()).to.satisfy((lines: string[]) =>
        lines.some((each) =>
          who === 'client'
            ? /clearmesh_denials_total\{.*reason="tls-revoked".*\} 1/.test(each)
            : /istio_tcp_connections_failed_total\{reporter="source".*\} 1/.test(each),
        ),
      );
    });

    it(`of the ${who} ends what is open ${sees}, and flags it`, async () => {
      const client = await bed.call(app.port);
      client.write('x');
      await read(client, 1);
      const ended = untilEnd(client);
      await revoke(who);
      await ended;
      expect(await bed.complete(sees)).to.include({ level: 'error', error: 'the certificate of the peer was revoked' });
      const failed = new RegExp(`istio_tcp_connections_failed_total\\{reporter="${reporter}".*\\} 1`);
      expect((await flags()).filter((line) => failed.test(line))).to.have.length(1);
    });
  }
});
