/** The agent's plugin on its node: there while the agent runs, there between two agents, and gone with the DaemonSet. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { KubeApi } from '../watch/kube-api.ts';
import { OwnDaemonSet } from '../watch/own-daemon-set.ts';
import { Installer, uninstall } from './installer.ts';
import type { InstallerDeps } from './installer.ts';

export type InstallationOptions = {
  /** Where the mesh itself lives. */
  readonly systemNamespace: string;
  readonly daemonSet: string;
  readonly excludedNamespaces: readonly string[];
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** '' for the first. */
  readonly cniConfName: string;
  readonly pluginBinary: string;
  readonly pluginSocket: string;
};

export type InstallationDeps = Pick<InstallerDeps, 'onState' | 'onWrite'> & {
  readonly api: Pick<KubeApi, 'get'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

export class Installation {
  readonly #options: InstallationOptions;
  readonly #deps: InstallationDeps;
  readonly #daemonSet: OwnDaemonSet;
  #isInstalled = false;

  constructor(options: InstallationOptions, deps: InstallationDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#daemonSet = new OwnDaemonSet({ namespace: options.systemNamespace, name: options.daemonSet }, deps);
  }

  /** As the last look found it. */
  get isInstalled(): boolean {
    return this.#isInstalled;
  }

  /** Installs and repairs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#installer().run(signal), this.#daemonSet.look(signal)]);
  }

  /** Whether no agent comes after this one; true only when that is certain. */
  isOver(): Promise<boolean> {
    return this.#daemonSet.isGone();
  }

  /** Takes the plugin away again. */
  async remove(): Promise<void> {
    const { cniConfDir: confDir, cniBinDir: binDir } = this.#options;
    await uninstall({ confDir, binDir }, { logger: this.#deps.logger });
  }

  #installer(): Installer {
    const { clock, logger, onState, onWrite } = this.#deps;
    const { cniConfDir, cniBinDir, cniConfName, pluginBinary, pluginSocket, excludedNamespaces, systemNamespace } = this.#options;
    return new Installer(
      {
        confDir: cniConfDir,
        binDir: cniBinDir,
        confName: cniConfName,
        pluginBinary,
        entry: { socket: pluginSocket, excludeNamespaces: excludedNamespaces, systemNamespace },
      },
      {
        clock,
        logger,
        onState: (problem) => {
          this.#isInstalled = problem === undefined;
          onState(problem);
        },
        onWrite,
      },
    );
  }
}
