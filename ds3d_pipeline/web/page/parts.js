// The few elements that a view is made of.

export function button(text, action) {
  const made = element("button", { type: "button", textContent: text });
  made.addEventListener("click", action);
  return made;
}

export function element(name, fields) {
  return Object.assign(document.createElement(name), fields);
}

export function svg(name, attributes = {}) {
  return set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes);
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
