/** Writes a sentence of the server's as Markdown: what stands in backticks and addresses as code, the rest as it is. */
export function toMarkdown(sentence: string): string {
  // An address as plain text would become a link that leads nowhere.
  return sentence
    .split(/(`[^`]+`|https?:\/\/\S*[\w/])/)
    .map((piece, index) => (index % 2 === 1 ? `\`${piece.replaceAll('`', '')}\`` : escape(piece)))
    .join('');
}

function escape(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_{}[\]()#+\-!~|>]/g, '\\$&');
}
