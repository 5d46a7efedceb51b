/** One rule that calls every builtin offered to WASM, and what OPA makes of it. */
import { createIssuer } from './issuer.ts';
import { token } from './shared-secret.ts';

/** Expressions by name; `undefined` in `expected` is a key that is absent. */
type Vectors = { readonly rego: string; readonly expected: Readonly<Record<string, unknown>> };

export async function builtinVectors(): Promise<Vectors> {
  const issuer = await createIssuer('i');
  const [rsa, pss, ec, ed] = await Promise.all(['rsa-1', 'pss-1', 'ec-1', 'ed-1'].map((kid) => issuer.sign({ sub: 'a' }, kid)));
  const forAudience = await issuer.sign({ sub: 'a', aud: ['x', 'y'], exp: 2_000_000_000 }, 'ec-1');
  const shared = token({ sub: 'a' });
  const header = { alg: 'HS256', typ: 'JWT' };
  const payload = { nbf: 1_520_000_000, exp: 2_240_000_000, sub: 'a' };
  const invalid = [false, {}, {}];
  const set = text(issuer.jwks);
  const verify = (constraints: string, of: string = forAudience): string =>
    `io.jwt.decode_verify(${text(of)}, ${constraints})[0]`;
  const rows: readonly (readonly [expression: string, value: unknown])[] = [
    [`array.slice(io.jwt.decode(${text(shared)}), 0, 2)`, [header, payload]],
    [`io.jwt.decode("a.b.c")`, undefined],
    [`io.jwt.verify_hs256(${text(shared)}, "secret")`, true],
    [`io.jwt.verify_hs256(${text(shared)}, "guessed")`, false],
    [`io.jwt.verify_hs256("a.b", "secret")`, undefined],
    [`io.jwt.verify_rs256(${text(rsa ?? '')}, ${set})`, true],
    [`io.jwt.verify_ps256(${text(pss ?? '')}, ${set})`, true],
    [`io.jwt.verify_es256(${text(ec ?? '')}, ${set})`, true],
    [`io.jwt.verify_eddsa(${text(ed ?? '')}, ${set})`, true],
    [`io.jwt.verify_rs256(${text(ec ?? '')}, ${set})`, false],
    [`io.jwt.decode_verify(${text(shared)}, {"secret": "secret"})`, [true, header, payload]],
    [`io.jwt.decode_verify(${text(shared)}, {"secret": "guessed"})`, invalid],
    [verify(`{"cert": ${set}, "aud": "y"}`), true],
    [verify(`{"cert": ${set}, "aud": "z"}`), false],
    [verify(`{"cert": ${set}}`), false],
    [verify(`{"cert": ${set}, "aud": "x", "iss": "i", "alg": "ES256"}`), true],
    [verify(`{"cert": ${set}, "aud": "x", "iss": "j"}`), false],
    [verify(`{"cert": ${set}, "aud": "x", "alg": "RS256"}`), false],
    [verify(`{"cert": ${set}, "aud": "x", "time": 1999999999000000000}`), true],
    [verify(`{"cert": ${set}, "aud": "x", "time": 2000000000000000000}`), false],
    [`time.now_ns() > 1700000000000000000`, true],
    [`time.parse_rfc3339_ns("2026-11-24T09:47:47.722Z") / 1000000`, 1_795_513_667_722],
    [`time.clock(1795513667722000000)`, [9, 47, 47]],
    [`time.clock([1795513667722000000, "UTC"])`, [9, 47, 47]],
    [`time.date(1795513667722000000)`, [2026, 11, 24]],
    [`time.weekday(1795513667722000000)`, 'Tuesday'],
    [`strings.any_prefix_match("/accounts/1", ["/x", "/acc"])`, true],
    [`strings.any_suffix_match({"a.json", "b.json"}, {".xml"})`, false],
    [`urlquery.decode("a%20b+c")`, 'a b c'],
    [`crypto.sha256("x")`, '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'],
    [`crypto.hmac.sha256("x", "k")`, 'c38edc8815c8489f64738978f44008f8596345545f0baa68ef6fcf5c53e57189'],
    [`hex.encode("aä")`, '61c3a4'],
  ];
  const values = rows.map(([expression], index) => `values["${index}"] := v if v := ${expression}`);
  return {
    rego: ['package a', 'allow := values', ...values].join('\n'),
    expected: Object.fromEntries(rows.flatMap(([, value], index) => (value === undefined ? [] : [[String(index), value]]))),
  };
}

function text(value: string): string {
  return JSON.stringify(value);
}
