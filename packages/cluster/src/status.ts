/** What of the cluster runs, and what does not. */

export type ProgramStatus = { readonly name: string; readonly running: boolean };
export type MachineStatus = { readonly name: string; readonly on: boolean; readonly programs: readonly ProgramStatus[] };
export type NodeStatus = { readonly name: string; readonly ready: boolean };

export type ClusterStatus = {
  /** `up`: everything runs; `down`: nothing does. */
  readonly state: 'up' | 'down' | 'partly';
  readonly kubeconfig: string;
  readonly machines: readonly MachineStatus[];
  /** As the API server sees them; none when it does not answer. */
  readonly nodes: readonly NodeStatus[];
  readonly dns: boolean;
  /** What should not be there when nothing runs: namespaces, devices, control groups, folders. */
  readonly left: readonly string[];
};

export function stateOf(status: Omit<ClusterStatus, 'state'>, nodeCount: number): ClusterStatus['state'] {
  const programs = status.machines.flatMap((machine) => machine.programs);
  const ready = status.nodes.filter((node) => node.ready).length;
  if (programs.every(({ running }) => running) && ready === nodeCount && status.dns) return 'up';
  return status.machines.every(({ on }) => !on) && status.left.length === 0 ? 'down' : 'partly';
}

/** For people. */
export function describeStatus(status: ClusterStatus): string {
  const machines = status.machines.map(({ name, on, programs }) => {
    const parts = programs.map((program) => `${program.running ? '✔' : '✘'} ${program.name}`).join('  ');
    return `${name.padEnd(8)} ${on ? parts : 'off'}`;
  });
  const nodes = status.nodes.map(({ name, ready }) => `${ready ? '✔' : '✘'} node ${name} is ${ready ? 'ready' : 'not ready'}`);
  const dns = status.nodes.length === 0 ? [] : [`${status.dns ? '✔' : '✘'} DNS ${status.dns ? 'answers' : 'does not answer'}`];
  const left = status.state === 'partly' && status.nodes.length === 0 ? status.left.map((thing) => `left: ${thing}`) : [];
  return [`cluster  ${status.state}`, ...machines, ...nodes, ...dns, ...left, `KUBECONFIG=${status.kubeconfig}`].join('\n');
}
