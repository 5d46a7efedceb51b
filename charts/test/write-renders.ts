/** `npm run renders`: writes renders/ anew, after a change of a chart that is meant. */
import { writeFile } from 'node:fs/promises';
import { renderFile, rendered, renders } from './renders.ts';

for (const each of renders) await writeFile(renderFile(each.name), await rendered(each));
