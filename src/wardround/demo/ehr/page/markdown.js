// Shows the Markdown of cards. Only elements of this file are made, and text is only ever set as text: HTML in a
// card's detail is shown as it is written, and never becomes part of the page.

const INLINE = /\\([!-/:-@[-`{-~])|\*\*(.+?)(?<!\\)\*\*|\*(.+?)(?<!\\)\*|`([^`]+)`/;

/** Returns the elements that show a text of paragraphs and lists. */
export function shown(markdown) {
  return markdown.split(/\n{2,}/).filter((block) => block.trim()).map(block);
}

function block(text) {
  const lines = text.split("\n");
  if (!lines.every((line) => /^[*-] /.test(line))) return element("p", inline(text));
  return element("ul", lines.map((line) => element("li", inline(line.slice(2)))));
}

function inline(text) {
  const found = INLINE.exec(text);
  if (!found) return text ? [text] : [];
  const [whole, escaped, strong, emphasis, code] = found;
  const node = escaped ?? (strong !== undefined ? element("strong", inline(strong))
    : emphasis !== undefined ? element("em", inline(emphasis)) : element("code", [code]));
  const before = text.slice(0, found.index);
  return [...(before ? [before] : []), node, ...inline(text.slice(found.index + whole.length))];
}

/** Returns a new element with these children; strings become text. */
export function element(name, children = [], attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
