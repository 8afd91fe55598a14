// Another extension, which knows nothing of Dragoman but the vendor's name: asks a model of it, with a tool of its own.
const vscode = require('vscode');

const weather = {
  name: 'weather',
  description: 'Tells the weather.',
  inputSchema: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] },
};

async function ask() {
  const models = await vscode.lm.selectChatModels({ vendor: 'dragoman' });
  const [model] = models;
  const messages = [vscode.LanguageModelChatMessage.User('How is Oslo?')];
  let text = '';
  const calls = [];
  const source = new vscode.CancellationTokenSource();
  const answer = await model.sendRequest(messages, { tools: [weather] }, source.token);
  for await (const part of answer.stream) {
    if (part instanceof vscode.LanguageModelToolCallPart) {
      calls.push([part.name, part.input]);
      messages.push(vscode.LanguageModelChatMessage.Assistant([part]));
      const rain = new vscode.LanguageModelToolResultPart(part.callId, [new vscode.LanguageModelTextPart('rain')]);
      messages.push(vscode.LanguageModelChatMessage.User([rain]));
    }
  }
  const last = await model.sendRequest(messages, { tools: [weather] }, source.token);
  for await (const piece of last.text) {
    text += piece;
  }
  const tokens = await model.countTokens('one two three');
  const told = { models: models.map((one) => [one.id, one.family]), calls, text, counted: tokens > 0 };
  const file = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, 'asked.json');
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(JSON.stringify(told)));
}

// As a language server would: it answers with all that is like what was asked for.
const symbols = {
  provideWorkspaceSymbols: async () => {
    const file = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, 'style.css');
    const place = (line) => new vscode.Location(file, new vscode.Position(line, 2));
    const variable = vscode.SymbolKind.Variable;
    return [
      new vscode.SymbolInformation('palette', variable, ':root', place(0)),
      new vscode.SymbolInformation('palettes', variable, ':root', place(4)),
    ];
  },
};

exports.activate = (context) =>
  context.subscriptions.push(
    vscode.commands.registerCommand('asker.ask', ask),
    vscode.languages.registerWorkspaceSymbolProvider(symbols),
  );
