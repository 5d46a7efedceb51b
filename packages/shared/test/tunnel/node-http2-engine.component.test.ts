import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { describeEngine } from './engine-compliance.ts';

describeEngine('node-http2', (deps) => new NodeHttp2Engine(deps));
