/**
 * The thread that runs one bundle's module. Evaluation cannot be interrupted from within, and may never end: the pool
 * watches from outside, and ends the whole thread.
 */
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';
import { missingBuiltins, offeredBuiltins } from './opa-builtins.ts';
import type { WorkerAnswer, WorkerQuestion, WorkerStart } from './opa-wasm-messages.ts';

/** What is used of the runtime, and of WebAssembly: the runtime's own types name exports it does not have. */
type CompiledModule = { readonly brand?: 'WebAssembly.Module' };
type LoadedPolicy = {
  readonly entrypoints: Readonly<Record<string, number>>;
  readonly mem: { readonly buffer: ArrayBuffer };
  readonly wasmInstance: { readonly exports: Readonly<Record<string, (...args: readonly number[]) => number>> };
  setData(json: ArrayBuffer): void;
  evaluate(json: ArrayBuffer, entrypoint: string): readonly { readonly result?: unknown }[];
};
type Runtime = {
  loadPolicySync(module: CompiledModule, memory: { initial: number; maximum: number }, builtins: object): LoadedPolicy;
};
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => CompiledModule };

const require = createRequire(import.meta.url);
const opa = require('@open-policy-agent/opa-wasm') as Runtime;
const { port, wasm, data, path, maxPages } = workerData as WorkerStart;
const encoder = new TextEncoder();
let nowNs = 0;
const offered = offeredBuiltins(() => nowNs);
const module = compile();
let policy = module === undefined ? undefined : admit(module);

port.on('message', (question: WorkerQuestion) => answer(evaluate(question)));

function answer(message: WorkerAnswer): void {
  port.postMessage(message);
}

function compile(): CompiledModule | undefined {
  try {
    return new WebAssembly.Module(wasm);
  } catch {
    answer({ kind: 'rejected', reason: 'policy.wasm is no WebAssembly module' });
    return undefined;
  }
}

function admit(module: CompiledModule): LoadedPolicy | undefined {
  try {
    const loaded = load(module);
    const builtins = Object.keys(dump(loaded, 'builtins'));
    const missing = missingBuiltins(builtins, offered);
    if (missing.length > 0) return reject(`it needs builtins that WASM rules do not have here: ${missing.join(', ')}`);
    const entrypoints = Object.keys(loaded.entrypoints);
    if (!entrypoints.includes(path)) return reject(`it has no entrypoint ${path}, but ${entrypoints.join(', ')}`);
    answer({ kind: 'ready', builtins });
    return loaded;
  } catch (thrown) {
    return reject(`it cannot be loaded: ${reasonOf(thrown)}`);
  }
}

function reject(reason: string): undefined {
  answer({ kind: 'rejected', reason });
  return undefined;
}

function load(module: CompiledModule): LoadedPolicy {
  const loaded = opa.loadPolicySync(module, { initial: 5, maximum: maxPages }, { ...offered });
  loaded.setData(bytesOf(data));
  return loaded;
}

/** The runtime takes a buffer as JSON that needs no more parsing, and takes the whole of it. */
function bytesOf(json: string): ArrayBuffer {
  const bytes = encoder.encode(json);
  return bytes.buffer.byteLength === bytes.length ? bytes.buffer : bytes.slice().buffer;
}

/** A module's own listing, which the runtime keeps to itself: JSON that ends with a zero byte. */
function dump(loaded: LoadedPolicy, name: 'builtins'): Readonly<Record<string, number>> {
  const { exports } = loaded.wasmInstance;
  const start = exports['opa_json_dump']?.(exports[name]?.() ?? 0) ?? 0;
  const memory = new Uint8Array(loaded.mem.buffer);
  const text = Buffer.from(memory.subarray(start, memory.indexOf(0, start))).toString('utf8');
  return JSON.parse(text) as Readonly<Record<string, number>>;
}

function evaluate({ id, input, nowMs }: WorkerQuestion): WorkerAnswer {
  nowNs = nowMs * 1e6;
  try {
    if (module === undefined) throw new Error('the module is not loaded');
    policy ??= load(module);
    return { kind: 'result', id, value: policy.evaluate(bytesOf(input), path)[0]?.result };
  } catch (thrown) {
    // A module that trapped is in no known state.
    policy = undefined;
    return { kind: 'failed', id, reason: reasonOf(thrown) };
  }
}

/** The runtime throws texts and plain objects, too. */
function reasonOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) return String(thrown.message);
  return String(thrown);
}
