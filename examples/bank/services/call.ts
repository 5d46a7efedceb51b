/** `POST /call` from inside a pod: one HTTP call as this pod would make it, to anywhere, with any headers. For the walk. */
import { askHttp } from './attempt.ts';
import { insideOnly, readJson, sendJson } from './http-service.ts';
import type { Handler } from './http-service.ts';

/** Takes {"url", "method"?, "headers"?, "body"?}. */
export const call: Handler = insideOnly(async (request, response) => {
  const { url, method, headers, body } = await readJson(request);
  if (typeof url !== 'string' || !URL.canParse(url)) return sendJson(response, 400, { error: 'a call needs a url' });
  const attempt = await askHttp(url, {
    ...(typeof method === 'string' ? { method } : {}),
    ...(typeof headers === 'object' && headers !== null ? { headers: headers as Readonly<Record<string, string>> } : {}),
    ...(typeof body === 'string' ? { body } : {}),
  });
  sendJson(response, 200, attempt);
});
