import { expect } from 'chai';
import { describe, it } from 'mocha';
import { errorCodes } from '@clearmesh/shared/observe/error-codes';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

describe('MeshError', () => {
  it('shows its code, and takes source, retry and remedy from the table', () => {
    const error = new MeshError('MESH-HBONE-001', { message: 'no answer from 10.0.0.1:15008' });
    expect(error.message).to.equal('no answer from 10.0.0.1:15008 [MESH-HBONE-001]');
    expect(error).to.include({ name: 'MeshError', code: 'MESH-HBONE-001', source: 'upstream', retry: true });
    expect(error.hint).to.equal(errorCodes['MESH-HBONE-001'].remedy);
    expect(error).not.to.have.property('cause');
  });

  it('explains itself with the hint given', () => {
    const error = new MeshError('MESH-CONFIG-003', { message: 'NETWORK is "a b"', hint: 'Leave out the space.' });
    expect(error.explain()).to.equal('NETWORK is "a b" [MESH-CONFIG-003]\n  → Leave out the space.');
  });

  it('wraps what was thrown, and keeps it as cause', () => {
    const cause = new TypeError('broken');
    const error = MeshError.from(cause, 'MESH-INTERNAL-001');
    expect(error.message).to.equal('broken [MESH-INTERNAL-001]');
    expect(error.cause).to.equal(cause);
    expect(MeshError.from('text', 'MESH-INTERNAL-001').message).to.equal('text [MESH-INTERNAL-001]');
  });

  it('stays itself when wrapped again', () => {
    const error = new MeshError('MESH-XDS-001', { message: 'lost' });
    expect(MeshError.from(error, 'MESH-INTERNAL-001')).to.equal(error);
  });
});

describe('the table of error codes', () => {
  for (const [code, { meaning, remedy }] of Object.entries(errorCodes)) {
    it(`${code} has its form, and sentences for meaning and remedy`, () => {
      expect(code).to.match(/^MESH-[A-Z0-9]+-\d{3}$/);
      expect(meaning).to.match(/^[A-Z].*\.$/);
      expect(remedy).to.match(/^[A-Z0-9].*\.$/);
    });
  }
});
