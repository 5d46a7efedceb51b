import { expect } from 'chai';
import { describe, it } from 'mocha';
import { noPlaces, waypointContainer } from '../../src/up/waypoint-container.ts';

describe('the container of a waypoint', () => {
  it('asks for a lifetime of certificates only when it is told one', () => {
    expect(waypointContainer('gate', '/w/token', noPlaces).env).not.to.have.property('SECRET_TTL');
    const env = waypointContainer('gate', '/w/token', { ...noPlaces, certificateLifetime: '40s' }).env;
    expect(env).to.include({ SECRET_TTL: '40s', GATEWAY_NAME: 'gate', AUTH_TOKEN: '/w/token' });
  });
});
