/** The control plane of a simulated cluster: the real program, in a namespace of its own, reading the directory. */
import type { Lab } from '@clearmesh/lab/lab';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { LogLines } from './log-lines.ts';
import { Program } from './program.ts';
import type { ProgramDeps } from './program.ts';

const servicePort = 15012;
const adminPort = 15014;
const pollMs = 50;

export type ControlPlaneOptions = {
  /** Program and leading arguments. */
  readonly command: readonly string[];
  readonly directory: string;
  readonly statusFile: string;
  /** Gets the status of objects: conditions, and why manifests were refused. */
  readonly statusOut: string;
  /** Gets ca.pem and root-cert.pem. */
  readonly stateDir: string;
  /** JWKS of those who sign node tokens. */
  readonly tokenKeys: string;
};

export type ControlPlaneDeps = ProgramDeps & { readonly lab: Pick<Lab, 'spawn' | 'request' | 'control'> };

export class ControlPlaneProcess implements AsyncDisposable {
  /** `https://ip:port` of configuration and certificates. */
  readonly url: string;
  /** The root the proxies verify the control plane with. */
  readonly rootCertificate: string;
  readonly program: Program;

  private constructor(url: string, rootCertificate: string, program: Program) {
    this.url = url;
    this.rootCertificate = rootCertificate;
    this.program = program;
  }

  /** Resolves when it serves; MESH-HOST-001 with its last words when it keeps ending. */
  static async start(options: ControlPlaneOptions, deps: ControlPlaneDeps, signal: AbortSignal): Promise<ControlPlaneProcess> {
    const { lab, clock } = deps;
    const { ip, namespacePath } = lab.control;
    const command = [...options.command, ...argumentsOf(options, ip)];
    await using starting = new AsyncDisposableStack();
    const program = starting.use(await Program.start({ name: 'control-plane', namespacePath, command }, deps));
    const until = AbortSignal.any([signal, program.failure]);
    while (!(await isReady(lab, { namespacePath, ip: '127.0.0.1', port: adminPort }, until))) await delay(clock, pollMs, until);
    starting.move();
    return new ControlPlaneProcess(`https://${ip}:${servicePort}`, `${options.stateDir}/root-cert.pem`, program);
  }

  get log(): LogLines {
    return this.program.log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

function argumentsOf(options: ControlPlaneOptions, ip: string): readonly string[] {
  const flags = {
    directory: options.directory,
    status: options.statusFile,
    'status-out': options.statusOut,
    state: options.stateDir,
    listen: `${ip}:${servicePort}`,
    'token-keys': options.tokenKeys,
    admin: `127.0.0.1:${adminPort}`,
    'log-format': 'json',
  };
  return ['serve', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
}

/** Asks `/healthz/ready`; anything but 200 is no. */
async function isReady(
  lab: Pick<Lab, 'request'>,
  place: { readonly namespacePath: string; readonly ip: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  const { namespacePath, ip, port } = place;
  try {
    return (await lab.request(namespacePath, { ip, port, path: '/healthz/ready', timeoutMs: 1000, signal })).status === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
