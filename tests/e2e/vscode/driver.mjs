// A browser on a leash: reads one JSON request a line from stdin, does it on the page, answers with one JSON line.
// It ends, and Chromium with it, when stdin ends.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [playwright, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
const context = await browser.newContext({
  viewport: { width: 1200, height: 760 },
  permissions: ['clipboard-read', 'clipboard-write'],
});
const page = await context.newPage();
const consoleLines = [];
page.on('console', (message) => consoleLines.push(`${message.type()}: ${message.text()}`));

// Ghost text as a reader sees it: the pieces from top to bottom and left to right, one line a line.
const readGhost = () => {
  const marked = [...document.querySelectorAll('.monaco-editor [class*="ghost-text"]')].filter(
    (element) => !element.parentElement.closest('[class*="ghost-text"]') && element.textContent !== '',
  );
  const pieces = marked.flatMap((element) => {
    const lines = element.querySelectorAll('.view-line');
    return (lines.length > 0 ? [...lines] : [element]).map((piece) => {
      const { top, left } = piece.getBoundingClientRect();
      return { top: Math.round(top), left, text: piece.textContent.replaceAll('\u00a0', ' ') };
    });
  });
  pieces.sort((one, other) => one.top - other.top || one.left - other.left);
  return pieces.reduce(
    ({ text, top }, piece) => ({
      text: top === null || Math.abs(piece.top - top) < 4 ? text + piece.text : `${text}\n${piece.text}`,
      top: piece.top,
    }),
    { text: '', top: null },
  ).text;
};

// Notes the ghost text of every frame that is drawn, for as long as nobody asks what was seen.
const watchGhost = `{
  const read = ${String(readGhost)};
  const seen = [];
  globalThis.ghostsSeen = seen;
  const look = () => {
    if (globalThis.ghostsSeen !== seen) return;
    const now = read();
    if (now !== seen.at(-1)) seen.push(now);
    requestAnimationFrame(look);
  };
  look();
}`;

// What axe objects to in the frame that has `within`, one node a line.
const findBarriers = async ({ axe, within }) => {
  const source = await readFile(axe, 'utf8');
  for (const frame of page.frames()) {
    if ((await frame.locator(within).count()) === 0) continue;
    await frame.evaluate(source);
    return frame.evaluate(async () => {
      // A view lets the side bar shine through, which axe cannot see from within the frame.
      document.body.style.background = 'var(--vscode-sideBar-background)';
      const { violations, passes } = await globalThis.axe.run(document);
      document.body.style.background = '';
      const found = violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
      );
      return [String(passes.length), ...found];
    });
  }
  throw new Error(`no frame has ${within}`);
};

const methods = {
  barriers: findBarriers,
  ghost: () => page.evaluate(readGhost),
  watch: () => page.evaluate(watchGhost),
  watched: () =>
    page.evaluate(() => {
      const seen = globalThis.ghostsSeen ?? [];
      globalThis.ghostsSeen = undefined;
      return seen;
    }),
  goto: ({ url }) => page.goto(url, { waitUntil: 'domcontentloaded', timeout: 120_000 }),
  click: ({ selector, timeout, modifiers }) => page.locator(selector).first().click({ timeout, modifiers }),
  hover: ({ selector, timeout }) => page.locator(selector).first().hover({ timeout }),
  unhover: () => page.mouse.move(600, 300),
  type: ({ text, delay }) => page.keyboard.type(text, { delay }),
  press: ({ key }) => page.keyboard.press(key),
  // Resolves with the texts of all that match once the first is there (or gone, for state "hidden").
  wait: async ({ selector, state, timeout }) => {
    await page.locator(selector).first().waitFor({ state, timeout });
    return page.locator(selector).allTextContents();
  },
  texts: ({ selector }) => page.locator(selector).allTextContents(),
  screenshot: ({ path }) => page.screenshot({ path, animations: 'allow' }),
  console: () => consoleLines.slice(-60),
};

const write = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
write({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { method, params } = JSON.parse(line);
  try {
    const result = await methods[method](params ?? {});
    write({ result: typeof result === 'string' || Array.isArray(result) ? result : null });
  } catch (error) {
    write({ error: String(error?.message ?? error) });
  }
}
await browser.close();
