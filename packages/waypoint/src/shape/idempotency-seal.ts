/**
 * Answers at rest outside this process: AES-256-GCM, bound to the record and the request they belong to.
 *
 * Each record has its own key (HKDF of the domain's key, RFC 5869), so that random nonces never come near their limit of
 * 2^32 messages a key (NIST SP 800-38D section 8.3).
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** What an answer is bound to; another record's or request's answer does not open. */
export type SealContext = { readonly record: string; readonly fingerprint: string };

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + nonceBytes + tagBytes;

export class AnswerSeal {
  readonly #domainKey: Buffer;

  /** @param material at least 32 random bytes, the same in every replica of the waypoint */
  constructor(material: Uint8Array, domain: string) {
    if (material.byteLength < 32)
      throw new MeshError('MESH-CONFIG-003', {
        message: `the response key has ${material.byteLength} bytes`,
        hint: 'Give at least 32 random bytes, the same to every replica.',
      });
    this.#domainKey = Buffer.from(hkdfSync('sha256', material, '', `clearmesh idempotency ${domain}`, 32));
  }

  /** version | nonce | tag | ciphertext. */
  seal(answer: Uint8Array, context: SealContext): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(context.record), nonce).setAAD(aad(context));
    const sealed = Buffer.concat([cipher.update(answer), cipher.final()]);
    return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), sealed]);
  }

  /** `undefined`: sealed with another key, for another request, or altered. */
  open(sealed: Uint8Array, context: SealContext): Buffer | undefined {
    if (sealed.byteLength < headBytes || sealed[0] !== version) return undefined;
    try {
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(context.record), nonce, { authTagLength: tagBytes });
      decipher.setAAD(aad(context)).setAuthTag(sealed.subarray(1 + nonceBytes, headBytes));
      return Buffer.concat([decipher.update(sealed.subarray(headBytes)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  #keyOf(record: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#domainKey, '', record, 32));
  }
}

function aad({ record, fingerprint }: SealContext): Buffer {
  return Buffer.from(`${record}\0${fingerprint}`);
}
