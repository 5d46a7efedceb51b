import type { FuzzTarget } from '../target.ts';
import { frames } from './frames.ts';
import { authority, baggage, forwarded, traceparent } from './headers.ts';
import { hpack } from './hpack.ts';
import { wds, zds } from './messages.ts';
import { proxy } from './proxy.ts';

export const targets: readonly FuzzTarget[] = [frames, hpack, baggage, forwarded, authority, traceparent, proxy, zds, wds];
