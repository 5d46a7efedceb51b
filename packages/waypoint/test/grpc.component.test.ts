import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import { Metadata, status } from '@grpc/grpc-js';
import type { Client } from '@grpc/grpc-js';
import { definition, grpcClient, grpcLedger, unary } from './grpc-ledger.ts';
import type { GrpcLedger } from './grpc-ledger.ts';
import { until } from './eventually.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { analytics, WaypointBed } from './waypoint-bed.ts';

describe('gRPC through a waypoint', () => {
  let bed: WaypointBed;
  let ledger: GrpcLedger;
  let client: Client;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    ledger = grpcLedger();
    await bed.addEndpoint('ledger-0', ledger.server);
    bed.push(...ledgerConfiguration({ protocol: 'GRPC' }));
    client = grpcClient(await bed.door());
  });

  afterEach(async () => {
    client.close();
    ledger.grpc.forceShutdown();
    await bed[Symbol.asyncDispose]();
  });

  it('carries a unary call with metadata, text and binary, both ways', async () => {
    const metadata = new Metadata();
    metadata.set('x-tenant', 'a');
    metadata.set('blob-bin', Buffer.from([0, 1, 254]));
    const { error, body, head, trailer } = await unary(client, 'Echo', Buffer.from('hello'), { metadata });
    expect(error).to.equal(null);
    expect(body).to.equal('hello');
    expect(head.get('x-head')).to.deep.equal(['h']);
    expect(head.get('blob-bin')).to.deep.equal([Buffer.from([0, 255, 1])]);
    expect(trailer.get('x-trailer')).to.deep.equal(['t']);
    expect(ledger.seen[0]?.get('x-tenant')).to.deep.equal(['a']);
    expect(ledger.seen[0]?.get('blob-bin')).to.deep.equal([Buffer.from([0, 1, 254])]);
    const line = await bed.line(String(head.get('x-request-id')[0]));
    expect(line).to.include({ protocol: 'gRPC', status: 200, grpc_status: 0, flags: '-', path: '/bank.Ledger/Echo' });
  });

  it('carries a message of 8 MiB there and back', async () => {
    const { error, body } = await unary(client, 'Echo', Buffer.alloc(8 * 1024 * 1024, 'm'));
    expect(error).to.equal(null);
    expect(body.length).to.equal(8 * 1024 * 1024);
  });

  it('carries a client’s stream', async () => {
    const { path, requestSerialize, responseDeserialize } = definition.Sum;
    const sum = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, value) =>
        error === null ? resolve(String(value)) : reject(error),
      );
      for (let at = 0; at < 200; at += 1) call.write(randomBytes(1_000));
      call.end();
    });
    expect(sum).to.equal('200000');
  });

  it('carries a server’s stream', async () => {
    const { path, requestSerialize, responseDeserialize } = definition.Count;
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.from('500'));
    const found: string[] = [];
    for await (const message of call) found.push(String(message));
    expect(found.length).to.equal(500);
    expect(found.at(-1)).to.equal('499');
  });

  it('carries messages both ways, each as it comes', async () => {
    const { path, requestSerialize, responseDeserialize } = definition.Chat;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const word of ['a', 'b', 'c']) {
      call.write(Buffer.from(word));
      expect(String((await once(call, 'data'))[0])).to.equal(word);
    }
    call.end();
    const [end] = await once(call, 'status');
    expect(end.code).to.equal(status.OK);
  });

  it('carries an error of trailers only', async () => {
    const { error, head } = await unary(client, 'Fail', Buffer.alloc(0));
    expect(error).to.include({ code: status.FAILED_PRECONDITION, details: 'the book is closed – zu' });
    const id = String((error?.metadata ?? head).get('x-request-id')[0]);
    expect(await bed.line(id)).to.include({ status: 200, grpc_status: 9, flags: '-', outcome: 'completed' });
  });

  it('carries an error after the first message', async () => {
    const { path, requestSerialize, responseDeserialize } = definition.FailLate;
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(0));
    const found: string[] = [];
    call.on('data', (message: Buffer) => found.push(String(message)));
    const [error] = await new Promise<[Error]>((resolve) => call.once('error', (thrown: Error) => resolve([thrown])));
    expect(error).to.include({ code: status.DATA_LOSS, details: 'after one' });
    expect(found).to.deep.equal(['one']);
  });

  it('ends a call at its deadline, at the service too, and tells the service what is left', async () => {
    const { error } = await unary(client, 'Wait', Buffer.alloc(0), { deadline: 200 });
    expect(error?.code).to.equal(status.DEADLINE_EXCEEDED);
    await until(() => ledger.cancelled === 1);
    expect(Number(ledger.seen[0]?.get('x-mesh-deadline-ms')[0])).to.be.within(1, 200);
  });

  it('cancels at the service what its caller cancels', async () => {
    const { path, requestSerialize, responseDeserialize } = definition.Wait;
    const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, Buffer.alloc(0), () => {});
    await until(() => ledger.seen.length === 1);
    call.cancel();
    await until(() => ledger.cancelled === 1);
    await until(() => bed.log.length === 1);
    expect(bed.log[0]).to.include({ flags: 'DC', status: 0, grpc_status: 1, outcome: 'unknown' });
  });

  it('says a method the service does not know by the service’s own word', async () => {
    const { requestSerialize, responseDeserialize } = definition.Echo;
    const code = await new Promise((resolve) => {
      client.makeUnaryRequest('/bank.Ledger/None', requestSerialize, responseDeserialize, Buffer.alloc(0), (error) =>
        resolve(error?.code),
      );
    });
    expect(code).to.equal(status.UNIMPLEMENTED);
  });

  it('denies by policy with PERMISSION_DENIED', async () => {
    const key = 'AuthorizationPolicy ledger/only-payments';
    const rules = [{ from: [{ principals: ['cluster.local/ns/payments/sa/payments'] }] }];
    bed.push(
      ...ledgerConfiguration({
        protocol: 'GRPC',
        authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules }],
      }),
    );
    const stranger = grpcClient(await bed.door(analytics));
    const { error } = await unary(stranger, 'Echo', Buffer.from('hello'));
    stranger.close();
    expect(error?.code).to.equal(status.PERMISSION_DENIED);
    expect(error?.metadata.get('x-mesh-denied')).to.deep.equal(['policy-denied']);
    expect(ledger.seen).to.deep.equal([]);
  });

  const trailersOnly: readonly (readonly [what: string, path: string, caller: 'payments' | 'nobody', grpcStatus: string])[] = [
    ['the service’s error', '/bank.Ledger/Fail', 'payments', '9'],
    ['a refusal of its own', '/bank.Ledger/Echo', 'nobody', '7'],
  ];
  for (const [what, path, , expected] of trailersOnly) {
    // gRPC over HTTP/2, Responses: else grpc-go misses the trailers it then waits for.
    it(`ends the stream with the head of ${what}`, async () => {
      if (expected === '7') {
        const key = 'AuthorizationPolicy ledger/nobody';
        bed.push(
          ...ledgerConfiguration({
            protocol: 'GRPC',
            authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules: [] }],
          }),
        );
      }
      const session = http2.connect(`http://127.0.0.1:${await bed.door()}`);
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
      const [headers, flags] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders, number];
      expect(headers).to.include({ ':status': 200, 'grpc-status': expected, 'content-type': headers['content-type'] });
      expect(flags & http2.constants.NGHTTP2_FLAG_END_STREAM).to.equal(http2.constants.NGHTTP2_FLAG_END_STREAM);
      session.destroy();
    });
  }
});
