import MarkdownIt from 'markdown-it';

// Pictures are left out: their addresses could carry away what a model has read. Links are opened by the user only.
const parser = new MarkdownIt('default', { html: false, linkify: false, breaks: false }).disable('image');

/** Markdown as HTML in which nothing stands but what the parser itself has written. */
export function renderMarkdown(text: string): string {
  return parser.render(text);
}
