// The page's words in the chosen language; a file for each.
import en from "/page/en.js";
import zh from "/page/zh.js";

const languages = { en, zh };
const stored = localStorage.getItem("language");
let language = stored in languages ? stored : navigator.language.startsWith("zh") ? "zh" : "en";

export const word = name => languages[language][name] ?? en[name] ?? name;
export const current = () => language;

export function speak(chosen = language) {
  language = chosen in languages ? chosen : "en";
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = word(element.dataset.placeholder);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", word(element.dataset.label));
    element.title = word(element.dataset.label);
  }
}
