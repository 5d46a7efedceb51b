/** What every tunnel engine must do (N1–N6 of engine.ts), whatever it is made of. */
import { describe } from 'mocha';
import { describeFlow } from './compliance/flow.ts';
import { describeForeignClients } from './compliance/foreign-clients.ts';
import { describeForeignServers } from './compliance/foreign-servers.ts';
import { describeHostileClients } from './compliance/hostile-clients.ts';
import type { CreateEngine } from './compliance/rig.ts';
import { describeSessions } from './compliance/sessions.ts';
import { describeStreams } from './compliance/streams.ts';

export function describeEngine(name: string, create: CreateEngine): void {
  describe(`tunnel engine ${name}`, () => {
    describeStreams(create);
    describeFlow(create);
    describeSessions(create);
    describeForeignClients(create);
    describeForeignServers(create);
    describeHostileClients(create);
  });
}
