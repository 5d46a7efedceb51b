/** Card numbers in paths must not reach logs or traces (PCI DSS 3.4): digits that pass the Luhn check are blanked. */

/** ISO/IEC 7812: the shortest card number in use has 12 digits, the longest 19. */
const fewestDigits = 12;
const mostDigits = 19;

/** Digits, also with a space, a hyphen or their escaped forms between two of them. */
const candidate = /\d(?:(?:[ +-]|%20|%2D)?\d){11,}/gi;
const separator = /[ +-]|%20|%2D/i;

const blank = '[card]';

/** The path with every likely card number replaced by `[card]`. */
export function scrubPath(path: string): string {
  return hasManyDigits(path) ? path.replaceAll(candidate, scrub) : path;
}

/** Almost every path ends here: the expression above is run only on what has enough digits at all. */
function hasManyDigits(path: string): boolean {
  let digits = 0;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code >= 48 && code <= 57 && ++digits >= fewestDigits) return true;
  }
  return false;
}

/** Groups are what separators leave; any run of whole groups may be the number, as in `4111-1111-1111-1111`. */
function scrub(found: string): string {
  const groups = found.split(separator);
  for (let first = 0; first < groups.length; first++) {
    let digits = '';
    for (let next = first; next < groups.length && digits.length <= mostDigits; next++) {
      digits += groups[next];
      // Longer than any card number: one may stand anywhere in it.
      if (groups[next] === digits && digits.length > mostDigits) return blank;
      if (digits.length >= fewestDigits && digits.length <= mostDigits && passesLuhn(digits)) return blank;
    }
  }
  return found;
}

/** ISO/IEC 7812-1 annex B. */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    const digit = digits.charCodeAt(i) - 48;
    const doubled = digit * 2;
    sum += !double ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
