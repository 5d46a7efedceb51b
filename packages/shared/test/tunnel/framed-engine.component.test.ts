import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { describeEngine } from './engine-compliance.ts';

describeEngine('framed', (deps) => new FramedEngine(deps));
