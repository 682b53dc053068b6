// What else may be set, as the schema of a brief tells it.
import * as draft from "/page/draft.js";
import { $, make } from "/page/make.js";
import { current, word } from "/page/words.js";

const ELSEWHERE = ["size", "strength", "color", "style_scale", "device", "precision", "runtime", "memory", "encoder", "tile"];
let fields = [], presets = {};

export function learn(schema, known) {
  const { Recipe } = schema.$defs, look = Object.keys(schema.$defs.Look.properties);
  presets = known;
  fields = Object.entries(Recipe.properties).filter(([name]) => !ELSEWHERE.includes(name)).map(([name, given]) => {
    const { anyOf = [given], ...own } = given, reference = given.$ref?.split("/").at(-1);
    return { name, everywhere: look.includes(name), ...own, ...anyOf[0], ...(reference ? schema.$defs[reference] : {}), description: given.description };
  }).filter(field => field.enum || ["integer", "number", "boolean"].includes(field.type) || field.name === "steps");
}

// Which preset the settings of a brief come from, and what differs from it; in one pass, what is not elsewhere.
export function readSettings({ engine, settings = {} }) {
  if (engine !== "optimize") {
    const known = ([name]) => fields.some(field => field.name === name && field.everywhere);
    return [undefined, Object.fromEntries(Object.entries(settings).filter(known))];
  }
  const own = Object.entries(settings).filter(([name]) => !ELSEWHERE.includes(name)), same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const differing = Object.entries(presets).map(([name, preset]) => [name, Object.fromEntries([
    ...own.filter(([key, value]) => !same(preset[key], value)),
    ...Object.keys(preset).filter(key => !(key in settings)).map(key => [key, fields.find(field => field.name === key)?.default]),
  ])]);
  return differing.sort((a, b) => Object.keys(a[1]).length - Object.keys(b[1]).length)[0] ?? ["balanced", {}];
}

export function draw() {
  $("more").replaceChildren(...fields.filter(field => draft.suits(field.name)).map(field => {
    const name = current() === "en" ? field.name.replaceAll("_", " ") : word(`setting_${field.name}`).replace("setting_", "");
    return make("label", { title: current() === "en" ? field.description ?? "" : "" }, make("span", {}, name), input(field));
  }));
}

function input(field) {
  const value = draft.now.more[field.name], on = { change: event => change(field, event.target) };
  if (field.enum || field.type === "boolean") {
    const choices = (field.enum ?? [true, false]).map(String);
    return make("select", { on }, ...["", ...choices].map(choice =>
      make("option", { value: choice, selected: choice === String(value ?? "") }, choice || `${word("as_is")}${told(field)}`)));
  }
  const text = Array.isArray(value) ? value.join() : value ?? "", placeholder = Array.isArray(field.default) ? field.default.join() : field.default;
  if (field.name === "steps") return make("input", { type: "text", inputMode: "numeric", pattern: "\\d+(,\\d+)*", value: text, placeholder, on });
  return make("input", {
    type: "number", value: text, placeholder, min: field.minimum ?? "", max: field.maximum ?? "", step: field.type === "integer" ? 1 : "any", on,
  });
}

const told = field => field.default === undefined ? "" : ` (${field.default})`;

function change(field, element) {
  if (!element.reportValidity()) return;
  const { [field.name]: _, ...more } = draft.now.more, { value } = element;
  const parsed = value === "" ? null : field.enum ? value : field.name === "steps" ? value.split(",").map(Number) : JSON.parse(value);
  draft.set({ more: parsed === null ? more : { ...more, [field.name]: parsed } });
}
