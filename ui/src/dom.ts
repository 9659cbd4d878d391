// Elements without markup strings: text is always text, so nothing of the data can become code.

type Props = Record<string, string | number | boolean | undefined | ((event: Event) => void)>;
export type Child = Node | string | number | null | undefined | false;

function apply(element: Element, props: Props, children: Child[]): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
}

// Attributes by name; a function is a listener of the event of that name.
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props, children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  apply(element, props, children);
  return element;
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

// Options of a select, keeping what was chosen if it is still there.
export function fillSelect(select: HTMLSelectElement, options: {value: string; label: string}[], chosen: string): void {
  select.replaceChildren(...options.map(({value, label}) => h('option', {value}, label)));
  if (options.some(({value}) => value === chosen)) select.value = chosen;
}

let toastTimer = 0;
export function toast(text: string): void {
  byId('toast').textContent = text;
  clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => byId('toast').replaceChildren(), 8000);
}
