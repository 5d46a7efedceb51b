import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { callerDeadline, formatGrpcTimeout, grpcTimeoutMs, lateFailure, propagateDeadline } from '../../src/forward/deadline.ts';

describe('deadlines (C10)', () => {
  const units = [
    { value: '1H', gives: 3_600_000 },
    { value: '2M', gives: 120_000 },
    { value: '3S', gives: 3_000 },
    { value: '4m', gives: 4 },
    { value: '5u', gives: 0.005 },
    { value: '1000000n', gives: 1 },
    { value: '99999999H', gives: 99_999_999 * 3_600_000 },
    { value: '100000000m', gives: undefined },
    { value: 'm', gives: undefined },
    { value: '', gives: undefined },
    { value: '-1m', gives: undefined },
    { value: '1 m', gives: undefined },
    { value: '1.5S', gives: undefined },
    { value: '10', gives: undefined },
    { value: '10x', gives: undefined },
  ];
  for (const { value, gives } of units) {
    it(`reads grpc-timeout "${value}" as ${gives}`, () => expect(grpcTimeoutMs(value)).to.equal(gives));
  }

  const deadlines = [
    { title: 'has none without a header', headers: {}, gives: Infinity },
    { title: 'counts from the arrival', headers: { 'x-mesh-deadline-ms': '250' }, gives: 1_250 },
    {
      title: 'takes the earlier of two',
      headers: { 'x-mesh-deadline-ms': '250', 'grpc-timeout': '100m' },
      grpc: true,
      gives: 1_100,
    },
    { title: 'reads grpc-timeout of gRPC only', headers: { 'grpc-timeout': '100m' }, gives: Infinity },
    {
      title: 'does not believe what it cannot read',
      headers: { 'x-mesh-deadline-ms': '-5', 'grpc-timeout': 'soon' },
      grpc: true,
      gives: Infinity,
    },
    { title: 'does not read more than ten digits', headers: { 'x-mesh-deadline-ms': '12345678901' }, gives: Infinity },
    { title: 'takes 0 for what it says', headers: { 'x-mesh-deadline-ms': '0' }, gives: 1_000 },
  ] as readonly { title: string; headers: Record<string, string>; grpc?: boolean; gives: number }[];
  for (const { title, headers, grpc = false, gives } of deadlines) {
    it(title, () => expect(callerDeadline(headers, grpc, 1_000)).to.equal(gives));
  }

  it('refuses with less left than the service needs', () => {
    expect(lateFailure(99, 100)).to.include({ kind: 'late' });
    expect(lateFailure(100, 100)).to.equal(undefined);
    expect(lateFailure(Infinity, 100)).to.equal(undefined);
    expect(lateFailure(0.5, 0)).to.include({ kind: 'late' });
  });

  it('tells the next hop what remains', () => {
    const headers: Record<string, string> = { 'x-mesh-deadline-ms': '9999', 'grpc-timeout': '9S' };
    propagateDeadline(headers, true, 1_234.9);
    expect(headers).to.deep.equal({ 'x-mesh-deadline-ms': '1234', 'grpc-timeout': '1234m' });
  });

  it('never tells the next hop more than remains, and always what gRPC can read', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (remainingMs) => {
        const told = grpcTimeoutMs(formatGrpcTimeout(remainingMs));
        expect(told).to.be.within(0, remainingMs);
        expect(told).to.be.at.least(Math.min(remainingMs, 99_999_999_000) - 1_000);
      }),
    );
  });

  it('reads any bytes without throwing', () => {
    fc.assert(fc.property(fc.string(), (value) => (grpcTimeoutMs(value) ?? 0) >= 0));
  });
});
