/** Which engine a proxy's tunnels run on. */
import type { Clock } from '../lifecycle/clock.ts';
import type { EnvironmentReader } from '../lifecycle/environment.ts';
import type { TunnelEngine } from './engine.ts';
import { FramedEngine } from './framed-engine.ts';
import type { FramedEngineOptions } from './framed-engine.ts';
import { NodeHttp2Engine } from './node-http2-engine.ts';

/** `framed` is our own, `node` is node:http2; they speak to each other. */
export type EngineName = 'framed' | 'node';

/** TUNNEL_ENGINE. @default framed, which costs less (`npm run bench -- engine`) */
export function readEngineName(reader: EnvironmentReader): EngineName {
  return reader.oneOf('TUNNEL_ENGINE', ['framed', 'node'], 'framed');
}

/** @param options of ours; node:http2 has a bound of its own for each session */
export function createEngine(name: EngineName, deps: { readonly clock: Clock }, options: FramedEngineOptions = {}): TunnelEngine {
  return name === 'framed' ? new FramedEngine(deps, options) : new NodeHttp2Engine(deps);
}
