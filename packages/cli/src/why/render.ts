/** The explanation as lines of text. Pure. */
import { Block } from '../terminal/block.ts';
import type { Style } from '../terminal/style.ts';
import type { Connection, Hop, PolicyFinding, Verdict } from './connection.ts';
import type { CallerFacts, Explanation, Group } from './explain.ts';
import type { CalleeFacts } from './callee-facts.ts';
import { listed } from './party.ts';

export function renderExplanation(explanation: Explanation, width: number, style: Style): readonly string[] {
  const { verdict, because, changes, callers, to, groups, remarks, origin, inMesh } = explanation;
  const block = new Block(width, style);
  block.line(`${toned(verdict, style)(style.bold(verdict))}  ${listed(callers.map(({ name }) => name))} → ${to.name}`);
  block.text(because, '  ');
  if (inMesh !== undefined) block.text(`In the mesh it would be ${inMesh.verdict}: ${inMesh.because}`, '  ');
  block.line(style.dim(`  (${origin})`));
  for (const caller of callers.slice(0, 3)) callerLines(block, caller);
  if (callers.length > 3) block.fact('from', `and ${callers.length - 3} more pods`);
  calleeLines(block, to);
  for (const [index, group] of groups.entries()) groupLines(block, group, groups.length > 1 ? index + 1 : undefined);
  block.list('What to change', changes);
  block.list('Note', remarks);
  return block.lines;
}

function callerLines(block: Block, { name, enrolment, capture, identity, node }: CallerFacts): void {
  block.heading(`From ${name}`);
  block.fact('enrolment', enrolment);
  block.fact('capture', captureText(capture));
  block.fact(
    'certificate',
    capture === 'none'
      ? `none: outside of the mesh ${identity} is not proven`
      : `${identity}${node === '' ? '' : `, held by ztunnel on ${node}`}`,
  );
}

function captureText(capture: CallerFacts['capture']): string {
  switch (capture) {
    case 'captured':
      return 'its connections are taken by ztunnel';
    case 'pending':
      return 'pending: rules are there, ztunnel is not; its traffic is refused';
    case 'own':
      return 'it speaks HBONE itself';
    case 'none':
      return 'none: its connections do not pass the mesh';
  }
}

function calleeLines(block: Block, { name, addresses, endpoints, waypoint }: CalleeFacts): void {
  block.heading(`To ${name}`);
  block.fact('address', addresses.length === 0 ? 'none' : listed(addresses));
  if (endpoints !== undefined) {
    const { all, healthy, captured } = endpoints;
    block.fact('endpoints', `${healthy} of ${all} ready, ${captured} in the mesh`);
  }
  if (waypoint === undefined) block.fact('waypoint', 'none is asked for');
  else block.fact('waypoint', `${waypoint.gateway} (${waypoint.class}): ${waypoint.reason}`);
}

function groupLines(block: Block, { connection, callers, callees }: Group, number: number | undefined): void {
  const { style } = block;
  if (number === undefined) block.heading('The way');
  else
    block.heading(
      `Way ${number}: ${connection.verdict} from ${listed(callers)}${callees.length === 0 ? '' : ` to ${listed(callees)}`}`,
    );
  if (number !== undefined) block.text(connection.because, '  ');
  for (const hop of connection.hops) hopLines(block, hop, callees);
  if (connection.mtls !== undefined) block.fact('mTLS', `${connection.mtls.mode}, by ${connection.mtls.by}`);
  if (!connection.guarded) block.fact('policies', style.bad('none is enforced: the mesh does not see this connection'));
  else if (connection.policies.length === 0) block.fact('policies', policiesText(connection));
  for (const policy of ordered(connection.policies)) policyLines(block, policy);
  for (const remark of connection.remarks) block.fact('also', remark);
}

function policiesText({ callee }: Connection): string {
  return callee === undefined ? 'none is asked: the way ends before' : 'none applies';
}

function hopLines(block: Block, { from, to, by, identities, detail }: Hop, callees: readonly string[]): void {
  const shown = callees.length > 1 && callees.includes(to) ? listed(callees) : to;
  const how = { tunnel: 'mTLS tunnel', plain: 'plain TCP', refused: 'refused' }[by];
  block.fact(how, `${from} → ${shown}${detail === undefined ? '' : ` (${detail})`}`);
  if (identities !== undefined) block.fact('', identities);
}

/** The deciding one first. */
function ordered(policies: readonly PolicyFinding[]): readonly PolicyFinding[] {
  const rank = ({ decides, outcome }: PolicyFinding): number => (decides ? 0 : outcome === 'no match' ? 2 : 1);
  return policies.toSorted((a, b) => rank(a) - rank(b));
}

function policyLines(block: Block, { object, action, at, dryRun, outcome, rule, says, decides }: PolicyFinding): void {
  if (action === 'DECIDES') return block.fact('ASKED', `${object} at the ${at}: ${says.join(', ')}`);
  const found =
    outcome === 'no match'
      ? 'does not match'
      : `${outcome === 'matches' ? 'matches' : 'may match'}${rule === undefined ? '' : ` by rule ${rule}`}`;
  const mark = decides ? ', and decides' : dryRun ? ' (dry run: not enforced)' : '';
  block.fact(action, `${object} at the ${at}: ${found}${mark}`);
  const shown = rule === undefined ? says : says.filter((line) => line.startsWith(`rule ${rule}:`) || says.length === 1);
  for (const line of shown.slice(0, 4)) block.fact('', line);
}

function toned(verdict: Verdict, style: Style): (text: string) => string {
  switch (verdict) {
    case 'ALLOWED':
      return style.good;
    case 'REFUSED':
      return style.bad;
    case 'DEPENDS':
      return (text) => text;
  }
}
