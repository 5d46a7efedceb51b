/** One way from a client to a server: what a bench sends its load through. */
export type BenchPath = {
  readonly name: string;
  /** Namespace the load runs in. */
  readonly clientNamespacePath: string;
  /** Where the client dials for HTTP and for bulk. */
  readonly host: string;
  readonly httpPort: number;
  readonly bulkPort: number;
  /** Processes in between, whose cost is reported; empty when there is none. */
  readonly pids: readonly number[];
};

/** The servers of manifests/pairs.yaml. */
export const httpPort = 8080;
export const bulkPort = 5201;
