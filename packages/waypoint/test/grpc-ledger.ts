/** A gRPC service of plain buffers for tests, by a server and a client that others wrote. */
import net from 'node:net';
import { Metadata, Server, ServerCredentials, credentials, makeGenericClientConstructor, status } from '@grpc/grpc-js';
import type {
  Client,
  MethodDefinition,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
  requestCallback,
} from '@grpc/grpc-js';

type Bytes = Buffer;

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Bytes, Bytes> {
  const same = (value: Bytes): Bytes => value;
  return {
    path: `/bank.Ledger/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

type MethodName = 'Echo' | 'Sum' | 'Count' | 'Chat' | 'Fail' | 'FailLate' | 'Wait';

export const definition: Readonly<Record<MethodName, MethodDefinition<Bytes, Bytes>>> = {
  Echo: method('Echo', false, false),
  Sum: method('Sum', true, false),
  Count: method('Count', false, true),
  Chat: method('Chat', true, true),
  Fail: method('Fail', false, false),
  FailLate: method('FailLate', false, true),
  Wait: method('Wait', false, false),
};

/** What the service saw of its calls. */
export type GrpcLedger = { readonly server: net.Server; readonly grpc: Server; cancelled: number; readonly seen: Metadata[] };

export function grpcLedger(): GrpcLedger {
  const grpc = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const ledger: GrpcLedger = {
    server: net.createServer((socket) => injector.injectConnection(socket)),
    grpc,
    cancelled: 0,
    seen: [],
  };
  grpc.addService(definition, {
    Echo: (call: ServerUnaryCall<Bytes, Bytes>, done: requestCallback<Bytes>) => {
      ledger.seen.push(call.metadata);
      const head = new Metadata();
      head.set('x-head', 'h');
      head.set('blob-bin', Buffer.from([0, 255, 1]));
      call.sendMetadata(head);
      const trailer = new Metadata();
      trailer.set('x-trailer', 't');
      (done as (...all: unknown[]) => void)(null, call.request, trailer);
    },
    Sum: (call: ServerReadableStream<Bytes, Bytes>, done: requestCallback<Bytes>) => {
      let sum = 0;
      call.on('data', (message: Bytes) => (sum += message.length));
      call.on('end', () => done(null, Buffer.from(String(sum))));
    },
    Count: (call: ServerWritableStream<Bytes, Bytes>) => {
      for (let at = 0; at < Number(call.request); at += 1) call.write(Buffer.from(String(at)));
      call.end();
    },
    Chat: (call: ServerDuplexStream<Bytes, Bytes>) => {
      call.on('data', (message: Bytes) => call.write(message));
      call.on('end', () => call.end());
    },
    Fail: (_call: ServerUnaryCall<Bytes, Bytes>, done: requestCallback<Bytes>) =>
      (done as (error: unknown) => void)({ code: status.FAILED_PRECONDITION, details: 'the book is closed – zu' }),
    FailLate: (call: ServerWritableStream<Bytes, Bytes>) => {
      call.write(Buffer.from('one'));
      call.emit('error', { code: status.DATA_LOSS, details: 'after one' });
    },
    Wait: (call: ServerUnaryCall<Bytes, Bytes>) => {
      ledger.seen.push(call.metadata);
      call.on('cancelled', () => (ledger.cancelled += 1));
    },
  });
  return ledger;
}

const GrpcClient = makeGenericClientConstructor({}, 'bank.Ledger');

export function grpcClient(port: number): Client {
  return new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.enable_retries': 0,
  });
}

export type Called = {
  readonly error: ServiceError | null;
  readonly body: string;
  readonly head: Metadata;
  readonly trailer: Metadata;
};

/** One unary call to its end. */
export function unary(
  client: Client,
  name: MethodName,
  request: Bytes,
  options: { readonly deadline?: number; readonly metadata?: Metadata } = {},
): Promise<Called> {
  const { path, requestSerialize, responseDeserialize } = definition[name];
  const { metadata = new Metadata(), deadline } = options;
  return new Promise((resolve) => {
    let head = new Metadata();
    let trailer = new Metadata();
    let result: Pick<Called, 'error' | 'body'> = { error: null, body: '' };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      deadline === undefined ? {} : { deadline: Date.now() + deadline },
      (error, value) => (result = { error, body: String(value ?? '') }),
    );
    call.on('metadata', (found: Metadata) => (head = found));
    call.on('status', (found) => {
      trailer = found.metadata;
      setImmediate(() => resolve({ ...result, head, trailer }));
    });
  });
}
