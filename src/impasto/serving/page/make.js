// Elements made by hand.
export const $ = id => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const { on = {}, aria = {}, ...own } = properties, element = Object.assign(document.createElement(tag), own);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

export const button = (text, click, properties = {}) => make("button", { type: "button", on: { click }, ...properties }, text);

// A picture on a button, or the place for one.
export const small = source => source ? make("img", { src: source, alt: "", loading: "lazy" }) : make("span", { className: "blank" });

// New children in place of the old ones; what had the focus has it again, by its data-key.
export function redraw(parent, children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  parent.replaceChildren(...children);
  if (key) [...parent.querySelectorAll("[data-key]")].find(one => one.dataset.key === key)?.focus();
}

export const tell = text => { $("status").textContent = text; };
