/** OpaPolicy: policy as code (l7-and-resilience B11). */

export type OpaPolicy = {
  readonly key: string;
  readonly engine: OpaEngine;
  /** Rule to ask, as a path. @default envoy/authz/allow */
  readonly path: string;
  /** @default 200 */
  readonly timeoutMs: number;
  /** Absent: the body is not read. */
  readonly body?: {
    /** @default 65 536 */
    readonly maxBytes: number;
    /** A larger body is asked about cut off (`truncated_body`), else refused with 413. @default false */
    readonly allowPartial: boolean;
  };
  /** Absent: no decision is kept. */
  readonly cache?: {
    /** At most 30 000. */
    readonly ttlMs: number;
    /** Paths of the input the policy reads, such as `attributes.request.http.method`; only these make the key. */
    readonly inputs: readonly string[];
  };
  readonly contextExtensions: Readonly<Record<string, string>>;
};

export type OpaEngine =
  | {
      readonly kind: 'wasm';
      /** A bundle of `opa build -t wasm`: a tar.gz, or a directory with policy.wasm and data.json; watched. */
      readonly bundle: string;
      /** One evaluation; a longer one is stopped. @default 50 */
      readonly watchdogMs: number;
    }
  /** An OPA server's REST API, `http://host:port`. */
  | { readonly kind: 'server'; readonly url: string }
  /** Nobody can be asked, and nothing passes: why, for answer and log. */
  | { readonly kind: 'none'; readonly reason: string };
