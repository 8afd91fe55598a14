/** The page of the chat view: nothing is loaded but the extension's own script and style, and no other script runs. */
export function chatPage(own: { source: string; nonce: string; script: string; style: string }): string {
  const policy = [
    "default-src 'none'",
    `style-src ${own.source}`,
    `script-src 'nonce-${own.nonce}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${own.style}">
<title>Dragoman Chat</title>
</head>
<body>
<div id="page">
<header>
<h1 id="title">New conversation</h1>
<button id="show-history" class="quiet" type="button" aria-expanded="false" aria-controls="history">History</button>
<button id="new" class="quiet" type="button">New</button>
</header>
<nav id="history" aria-label="Conversations" hidden></nav>
<main id="scroller" tabindex="-1"><div id="items" role="log" aria-label="Conversation" aria-live="off"></div></main>
<div id="spoken" class="hidden" aria-live="polite"></div>
<div id="progress" aria-hidden="true"></div>
<footer>
<div id="suggestions" role="listbox" aria-label="Attach" hidden></div>
<div id="box">
<div id="subject" hidden></div>
<textarea id="question" rows="1" placeholder="Ask, @ to attach" aria-label="Question. Enter sends, Shift+Enter makes a new line."
 aria-haspopup="listbox" aria-controls="suggestions" aria-autocomplete="list"></textarea>
<div id="bar">
<select id="agent" aria-label="Agent"></select>
<button id="stop" class="secondary" type="button" title="Stop (Escape)" hidden>Stop</button>
<button id="send" type="button" title="Send (Enter)" disabled>Send</button>
</div>
</div>
</footer>
</div>
<script nonce="${own.nonce}" src="${own.script}"></script>
</body>
</html>`;
}
