/**
 * What belongs in this folder: what the pages share in a browser: elements, charts, how numbers are written.
 *
 * Here elements are made. All that a server sends becomes text, and never markup: there is no other way in
 * the pages, and their policy forbids one (Trusted Types).
 */

type Child = Node | string;

/** An element with attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** An element of SVG. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Changes a text only where it differs: a selection and the place of a screen reader stay. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Changes an attribute only where it differs. */
export function mark(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** An element of page.html. */
export function find<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`page.html: expected #${id}`);
  return element;
}

/** Replaces the children of an element when what they show has changed. */
export function fill(element: Element, key: string, children: () => readonly Child[]): void {
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...children());
}

const shown = new WeakMap<Element, string>();
