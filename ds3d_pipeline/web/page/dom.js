// Text into nodes: never as HTML, for names and sentences come from users and programs.

/** A new node with this text. */
export function text(name, className, content) {
  const node = document.createElement(name);
  if (className) node.className = className;
  write(node, content);
  return node;
}

/** Writes a sentence; what is between backticks becomes code. Only a change is written: a screen reader says it once. */
export function write(node, sentence) {
  if (node.dataset.text === sentence) return;
  node.dataset.text = sentence;
  const parts = sentence.split(/`([^`]+)`/);
  node.replaceChildren(...parts.map((part, index) => (index % 2 ? code(part) : document.createTextNode(part))));
}

function code(content) {
  const node = document.createElement("code");
  node.textContent = content;
  return node;
}
