/** Every kind of gRPC call once: grpc-client.ts HOST:PORT. One line of JSON on standard output. */
import { once } from 'node:events';
import { Client, credentials } from '@grpc/grpc-js';
import type { Metadata, ServiceError } from '@grpc/grpc-js';
import { echoService } from './echo-service.ts';

const client = new Client(process.argv[2] ?? '', credentials.createInsecure());
const same = (bytes: Buffer): Buffer => bytes;
const messages = 1_000;

function unary(path: string): Promise<{ readonly text?: string; readonly error?: ServiceError; readonly servedBy?: string }> {
  return new Promise((resolve) => {
    let text: string | undefined;
    let error: ServiceError | undefined;
    const call = client.makeUnaryRequest(path, same, same, Buffer.from('hello'), (failed, value) => {
      error = failed ?? undefined;
      text = value?.toString();
    });
    call.on('status', ({ metadata }: { readonly metadata: Metadata }) =>
      setImmediate(() =>
        resolve({
          ...(text === undefined ? {} : { text }),
          ...(error === undefined ? {} : { error }),
          servedBy: String(metadata.get('served-by')[0] ?? ''),
        }),
      ),
    );
  });
}

async function download(): Promise<number> {
  let count = 0;
  const call = client.makeServerStreamRequest(echoService.download.path, same, same, Buffer.from(String(messages)));
  for await (const message of call as AsyncIterable<Buffer>) if (message.toString() === `m${count}`) count++;
  return count;
}

async function upload(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const call = client.makeClientStreamRequest(echoService.upload.path, same, same, (error, value) =>
    error === null ? resolve(Number(value?.toString())) : reject(error),
  );
  for (let index = 0; index < messages; index++) if (!call.write(Buffer.alloc(1_024))) await once(call, 'drain');
  call.end();
  return promise;
}

/** Each message waits for the answer to the one before: both directions are open at once. */
async function chat(): Promise<number> {
  const call = client.makeBidiStreamRequest(echoService.chat.path, same, same);
  let count = 0;
  for (; count < 100; count++) {
    call.write(Buffer.from(`c${count}`));
    const [message] = (await once(call, 'data')) as [Buffer];
    if (message.toString() !== `c${count}`) break;
  }
  call.end();
  return count;
}

const first = await unary(echoService.unary.path);
const failed = await unary(echoService.fail.path);
const report = {
  unary: first.text,
  servedBy: first.servedBy,
  code: failed.error?.code,
  details: failed.error?.details,
  downloaded: await download(),
  uploaded: await upload(),
  chatted: await chat(),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
client.close();
