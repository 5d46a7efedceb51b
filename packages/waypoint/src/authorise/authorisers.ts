/**
 * The authorisers of a waypoint's services, by configuration. A configuration is compiled whole and then replaces the one
 * before it; engines and issuers' keys that both name go on undisturbed.
 */
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import type { BoundService, ObjectKey, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { Authoriser } from './authorise.ts';
import { RemoteKeys, staticKeys } from './jwks-remote.ts';
import type { KeySource } from './jwks-remote.ts';
import { JwtAuthenticator } from './jwt.ts';
import { KeySet } from './jwt-keys.ts';
import { KeyedResources } from './keyed-resources.ts';
import { compilePolicies } from './l7-policy.ts';
import { withoutHttp } from './opaque-policy.ts';
import type { OpaEngine } from './opa-engine.ts';
import { NoOpaEngine } from './opa-none.ts';
import { OpaDecider } from './opa-policy.ts';
import { OpaServerEngine } from './opa-server.ts';
import { OpaWasmEngine } from './opa-wasm.ts';
import type { WasmPoolDeps } from './opa-wasm-pool.ts';

export type AuthorisersOptions = {
  /** Told to OPA policies. */
  readonly cluster?: string;
  /** Worker threads of a WASM bundle, from 1 to 4. @default 1 */
  readonly wasmThreads?: number;
  /** How long engines and keys live on that no configuration names any more, milliseconds. @default 10 000 */
  readonly graceMs?: number;
};

export type AuthorisersDeps = WasmPoolDeps & {
  /** How issuers' keys are fetched. @default an undici Agent of its own */
  readonly dispatcher?: Dispatcher;
};

export class Authorisers implements AsyncDisposable {
  readonly #options: AuthorisersOptions;
  readonly #deps: AuthorisersDeps;
  readonly #engines: KeyedResources<OpaEngine>;
  readonly #keys: KeyedResources<RemoteKeys>;
  readonly #agent: Agent = new Agent();
  #byService: ReadonlyMap<ServiceKey, Authoriser> = new Map();

  constructor(options: AuthorisersOptions, deps: AuthorisersDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#engines = new KeyedResources(options, deps);
    this.#keys = new KeyedResources(options, deps);
  }

  /** `undefined` for a service this waypoint does not stand before. */
  of(service: ServiceKey): Authoriser | undefined {
    return this.#byService.get(service);
  }

  /**
   * From now on, requests are decided by this configuration; those under way by the one they began with.
   * @throws TypeError for a server's url that is none; the configuration before then goes on
   */
  apply(configuration: WaypointConfiguration): void {
    const used = { engines: new Set<string>(), keys: new Set<string>() };
    const next = new Map<ServiceKey, Authoriser>();
    for (const service of configuration.services) next.set(service.key, this.#compile(service, configuration, used));
    const replaced = this.#byService;
    this.#byService = next;
    for (const authoriser of replaced.values()) authoriser[Symbol.dispose]();
    this.#engines.retain(used.engines);
    this.#keys.retain(used.keys);
  }

  /** Settles when every engine named has a policy to answer by, or has said why not. */
  async started(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.started));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const authoriser of this.#byService.values()) authoriser[Symbol.dispose]();
    this.#byService = new Map();
    await Promise.all([this.#engines[Symbol.asyncDispose](), this.#keys[Symbol.asyncDispose]()]);
    await this.#agent.destroy();
  }

  #compile(
    service: BoundService,
    { namespace, policies }: WaypointConfiguration,
    used: { readonly engines: Set<string>; readonly keys: Set<string> },
  ): Authoriser {
    const missing: ObjectKey[] = [];
    const named = <T>(keys: readonly ObjectKey[], table: Readonly<Record<ObjectKey, T>>): readonly T[] =>
      keys.flatMap((key) => {
        const found = table[key];
        if (found === undefined) missing.push(key);
        return found === undefined ? [] : [found];
      });
    const tokens = new JwtAuthenticator(named(service.jwt, policies.jwt), {
      clock: this.#deps.clock,
      keysOf: (rule) => this.#keysOf(rule, used.keys),
    });
    const { cluster } = this.#options;
    const options = { domain: namespace, ...(cluster === undefined ? {} : { cluster }) };
    const authorization = named(service.authorization, policies.authorization);
    return new Authoriser({
      tokens,
      policies: compilePolicies(authorization),
      opaque: compilePolicies(authorization.map(withoutHttp)),
      opa: named(service.opa, policies.opa).map(
        (policy) =>
          new OpaDecider({ ...options, policy }, { clock: this.#deps.clock, engine: this.#engineOf(policy, used.engines) }),
      ),
      missing,
    });
  }

  #engineOf(policy: OpaPolicy, used: Set<string>): OpaEngine {
    const { engine, path, timeoutMs } = policy;
    const key = JSON.stringify([engine, path, timeoutMs]);
    used.add(key);
    return this.#engines.take(key, () => {
      if (engine.kind === 'none') return new NoOpaEngine(engine.reason);
      if (engine.kind === 'server') return new OpaServerEngine({ url: engine.url, path, timeoutMs }, this.#deps);
      const { bundle, watchdogMs } = engine;
      const threads = this.#options.wasmThreads ?? 1;
      return new OpaWasmEngine({ bundle, path, watchdogMs, timeoutMs, threads }, this.#deps);
    });
  }

  #keysOf({ jwks, jwksUri }: JwtRule, used: Set<string>): KeySource {
    if (jwks !== undefined) return staticKeys(KeySet.parse(jwks));
    if (jwksUri === undefined || !/^https?:$/.test(URL.parse(jwksUri)?.protocol ?? '')) return staticKeys(undefined);
    used.add(jwksUri);
    const { clock, random, logger } = this.#deps;
    const dispatcher = this.#deps.dispatcher ?? this.#agent;
    return this.#keys.take(jwksUri, () => new RemoteKeys({ uri: jwksUri }, { clock, random, logger, dispatcher }));
  }
}
