// Puts the server's settings into package.json, so that the editor offers what the server understands.
//   dragoman config schema --vscode | node scripts/settings.mjs           writes package.json
//   dragoman config schema --vscode | node scripts/settings.mjs --check   fails when package.json is stale
import { readFileSync, writeFileSync } from 'node:fs';

const manifestFile = new URL('../package.json', import.meta.url);
const written = readFileSync(manifestFile, 'utf8');
const manifest = JSON.parse(written);
const properties = JSON.parse(readFileSync(0, 'utf8'));

// What concerns the client only is written by hand and stays.
const own = manifest.contributes.configuration.find((section) => section.id === 'dragoman.server');

const FIRST = ['completion', 'models', 'providers', 'context', 'review', 'agents', 'workflows', 'mcp'];
const TITLES = { mcp: 'MCP' };

const tables = new Map();
for (const [key, { description: _plain, ...property }] of Object.entries(properties)) {
  const table = key.split('.')[1];
  tables.set(table, { ...tables.get(table), [key]: property });
}
const rank = (table) => (FIRST.includes(table) ? FIRST.indexOf(table) : FIRST.length);
const generated = [...tables].toSorted(([left], [right]) => rank(left) - rank(right));

manifest.contributes.configuration = [
  ...generated.map(([table, contents], order) => ({
    id: `dragoman.${table}`,
    title: TITLES[table] ?? table[0].toUpperCase() + table.slice(1),
    order,
    properties: contents,
  })),
  own,
];
// The files of a folder that is not trusted set nothing: what is no machine setting anyway is named here.
manifest.capabilities.untrustedWorkspaces.restrictedConfigurations = Object.entries(properties)
  .filter(([, property]) => property.scope !== 'machine')
  .map(([key]) => key);

const fresh = `${JSON.stringify(manifest, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if (fresh !== written) {
    console.error('package.json does not offer the settings the server has. Run:');
    console.error('  dragoman config schema --vscode | node scripts/settings.mjs');
    process.exit(1);
  }
} else {
  writeFileSync(manifestFile, fresh);
}
