/** `node scripts/install-opa.ts` prints where OPA is, after building it where it is not there yet. */
import { installOpa } from '@clearmesh/shared/testing/install-opa';

process.stdout.write(`${await installOpa()}\n`);
