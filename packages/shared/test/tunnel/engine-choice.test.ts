import { expect } from 'chai';
import { describe, it } from 'mocha';
import { EnvironmentReader } from '../../src/lifecycle/environment.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { createEngine, readEngineName } from '../../src/tunnel/engine-choice.ts';

describe('the engine of tunnels', () => {
  it('is our own, unless TUNNEL_ENGINE says otherwise', () => {
    expect(readEngineName(new EnvironmentReader({}))).to.equal('framed');
    expect(readEngineName(new EnvironmentReader({ TUNNEL_ENGINE: 'node' }))).to.equal('node');
  });

  it('must be one that there is', () => {
    const reader = new EnvironmentReader({ TUNNEL_ENGINE: 'nghttp2' });
    readEngineName(reader);
    expect(() => reader.finish()).to.throw(/TUNNEL_ENGINE="nghttp2": set it to one of framed, node/);
  });

  it('is made by its name', () => {
    const deps = { clock: new FakeClock() };
    expect([createEngine('framed', deps).name, createEngine('node', deps).name]).to.deep.equal(['framed', 'node-http2']);
  });
});
