/** Lines that the programs of the mesh and the pods print, for whoever wants to see them. */
import type { OutputStream } from '@clearmesh/lab/process/supervised-process';

/** `source` is `control-plane`, `ztunnel <node>` or `namespace/pod`. */
export type OnOutput = (source: string, stream: OutputStream, line: string) => void;
