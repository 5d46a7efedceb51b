/** Which bucket of a limit a request takes from. */
import { createHash } from 'node:crypto';
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { RateLimitKeyPart } from '@clearmesh/shared/model/l7/rate-limit';
import { headerOf } from '../exchange/request-facts.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { CompiledLimit } from './rate-limit-rules.ts';

/** Characters; longer names are hashed, so that callers do not decide how much memory a bucket takes. */
const maxNameLength = 160;

/**
 * @param template the route's path template; without one the path counts as it is, and each path has a bucket
 */
export function bucketName(limit: CompiledLimit, request: RequestFacts, template: string | undefined): string {
  let name = limit.bucketPrefix;
  for (const part of limit.key) {
    const value = valueOf(part, request, template);
    // Lengths keep values apart that hold the separator.
    name += `|${value.length}:${value}`;
  }
  return name.length <= maxNameLength ? name : limit.bucketPrefix + digest(name);
}

/** Names in a shared store are hashed: values may be personal. */
export function hashedBucketName(limit: CompiledLimit, request: RequestFacts, template: string | undefined): string {
  return `rl:${limit.bucketPrefix}${limit.key.length === 0 ? '' : digest(bucketName(limit, request, template))}`;
}

function valueOf(part: RateLimitKeyPart, request: RequestFacts, template: string | undefined): string {
  switch (part.kind) {
    case 'identity':
      return request.caller.identity;
    case 'namespace':
      return identityParts(request.caller.identity).namespace;
    case 'header':
      // Requests without it share one bucket.
      return headerOf(request.headers, part.name) ?? '';
    case 'path':
      return template ?? request.path;
    case 'method':
      return request.method;
    default:
      return unreachable(part);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
