import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import type { OutputStream, ProcessExit, SpawnOptions, SupervisedProcess } from '@clearmesh/lab/process/supervised-process';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { Program } from '../../src/up/program.ts';

/** A process whose end the test decides. */
class ScriptedProcess implements SupervisedProcess {
  readonly name = 'ztunnel node-a';
  readonly namespacePath: string | undefined = undefined;
  readonly pid: number;
  readonly #exit = Promise.withResolvers<ProcessExit>();
  stopped = false;

  constructor(pid: number) {
    this.pid = pid;
  }

  get exited(): Promise<ProcessExit> {
    return this.#exit.promise;
  }

  tail(): readonly string[] {
    return [`last words of ${this.pid}`];
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.end();
  }

  kill(): void {
    void this.end();
  }

  /** Ends by itself; resolves when everybody has heard of it. */
  async end(code = 1): Promise<void> {
    this.#exit.resolve({ code, signal: null });
    await settled();
  }
}

/** Lets every promise that can go on go on. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('a program of the mesh', () => {
  let clock: FakeClock;
  let processes: ScriptedProcess[];
  let said: string[];
  let lines: string[];
  let emit: (stream: OutputStream, line: string) => void;
  let program: Program;

  beforeEach(async () => {
    clock = new FakeClock();
    processes = [];
    said = [];
    lines = [];
    const spawn = (options: SpawnOptions): Promise<SupervisedProcess> => {
      emit = options.onLine ?? (() => {});
      const started = new ScriptedProcess(processes.length + 1);
      processes.push(started);
      return Promise.resolve(started);
    };
    program = await Program.start(
      { name: 'ztunnel node-a', command: ['true'] },
      {
        lab: { spawn },
        clock,
        random: new FakeRandom(),
        say: (line) => said.push(line),
        onOutput: (source, stream, line) => lines.push(`${source} ${stream} ${line}`),
      },
    );
  });

  const newest = (): ScriptedProcess => {
    const last = processes.at(-1);
    if (last === undefined) throw new Error('nothing runs');
    return last;
  };

  /** Ends the newest process and waits out the back-off. */
  async function endAndRest(restMs: number): Promise<void> {
    await newest().end();
    clock.advance(restMs);
    await settled();
  }

  it('is started again after it ended by itself, with its status said', async () => {
    await newest().end(7);
    expect(program.pid).to.equal(undefined);
    clock.advance(199);
    await settled();
    expect(processes).to.have.length(1);
    clock.advance(1);
    await settled();
    expect(program.pid).to.equal(2);
    expect(said).to.deep.equal(['ztunnel node-a ended by itself (7); it is started again']);
    expect(program.failure.aborted).to.equal(false);
  });

  it('keeps its log over a restart, and passes every line on', async () => {
    emit('stdout', '{"message":"first"}');
    await endAndRest(200);
    emit('stderr', '{"message":"second"}');
    expect(program.log.since(0).map(({ fields }) => fields['message'])).to.deep.equal(['first', 'second']);
    expect(lines).to.deep.equal(['ztunnel node-a stdout {"message":"first"}', 'ztunnel node-a stderr {"message":"second"}']);
  });

  it('is a failure with its last words when it ends the third time within ten seconds', async () => {
    await endAndRest(1000);
    await endAndRest(1000);
    await newest().end();
    expect(program.failure.reason).to.be.instanceOf(MeshError);
    expect((program.failure.reason as MeshError).message).to.contain('last words of 3');
    clock.advance(60_000);
    await settled();
    expect(processes).to.have.length(3);
  });

  it('is started again for ever when its ends lie further apart', async () => {
    for (let index = 0; index < 5; index++) await endAndRest(11_000);
    expect(processes).to.have.length(6);
    expect(program.failure.aborted).to.equal(false);
  });

  it('is stopped by disposal and not started again', async () => {
    await program[Symbol.asyncDispose]();
    clock.advance(60_000);
    await settled();
    expect([newest().stopped, processes.length, program.pid]).to.deep.equal([true, 1, undefined]);
  });

  it('leaves no timer when it is disposed of between two runs', async () => {
    await newest().end();
    expect(clock.pendingTimers).to.equal(1);
    await program[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
  });
});
