/** A gRPC service whose messages are plain bytes: what is tested is the way, not an encoding. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (bytes) => bytes,
    responseDeserialize: (bytes) => bytes,
  };
}

type Name = 'unary' | 'download' | 'upload' | 'chat' | 'fail';

export const echoService: ServiceDefinition & Readonly<Record<Name, MethodDefinition<Buffer, Buffer>>> = {
  unary: method('Unary', false, false),
  download: method('Download', false, true),
  upload: method('Upload', true, false),
  chat: method('Chat', true, true),
  fail: method('Fail', false, false),
};
