/** Applications for tests that say who they are and what they saw. */
import http from 'node:http';

export type Seen = {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
};

export type NamedEcho = { readonly server: http.Server; readonly seen: Seen[] };

/** @param answer in place of 200 */
export function namedEcho(name: string, answer?: (response: http.ServerResponse, seen: Seen) => void): NamedEcho {
  const all: Seen[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += String(chunk)));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const seen = { name, method, url, headers, body };
      all.push(seen);
      if (answer === undefined) response.end(JSON.stringify(seen));
      else answer(response, seen);
    });
  });
  return { server, seen: all };
}
