// Manners, and the places that they are for.
import * as api from "/page/api.js";
import * as draft from "/page/draft.js";
import { $, button, make, redraw, small, tell } from "/page/make.js";
import { word } from "/page/words.js";

const THUMBNAIL_SIZE = 160;
let styles = [], thumbnails = new AbortController();

// What paintings were called when they were added; only this browser knows.
const names = JSON.parse(localStorage.getItem("names") ?? "{}");

export const nameOf = id => styles.find(style => style.id === id)?.name ?? names[id] ?? (draft.isOwn(id) ? word("own") : id.split(":").at(-1));
export const known = () => styles;

export function offer(offered, own) {
  styles = offered.map(style => ({ ...style, picture: style.kind === "library" ? api.photoOf(style.id) : null }));
  own.forEach(add);
}

function add(id) {
  if (!styles.some(style => style.id === id)) styles.unshift({ id, picture: api.photoOf(id), kind: "own" });
}

export function chooseNumber(number) {
  if (styles[number]) choose(styles[number].id);
}

function choose(id) {
  const replaced = draft.choose(id, $("mix").checked), style = styles.find(one => one.id === id);
  if (replaced) tell(word("one_kind"));
  if (style?.commercial === false) tell(`${word("not_commercial")} ${style.licence}`);
}

export async function addPainting(file) {
  if (!file) return;
  tell(word("reading"));
  try {
    const { id } = await api.upload(file);
    names[id] = file.name?.replace(/\.[^.]*$/, "") || word("own");
    localStorage.setItem("names", JSON.stringify(names));
    add(id);
    tell("");
    choose(id);
  } catch (error) { tell(`${word("failed")} ${error.message}`); }
}

export function draw() {
  const { now } = draft, place = draft.place();
  for (const id of now.places.flatMap(one => one.styles).filter(draft.isOwn)) add(id);
  redraw($("styles"), styles.map((style, number) => button(nameOf(style.id), () => choose(style.id), {
    title: [nameOf(style.id), style.licence].filter(Boolean).join(" · "),
    aria: { pressed: place.styles.includes(style.id), ...(number < 9 && { keyshortcuts: number + 1 }) },
  })));
  styles.forEach((style, number) => {
    $("styles").children[number].prepend(small(style.picture));
    $("styles").children[number].dataset.key = style.id;
  });
  drawShares(place);
  drawPlaces(now);
  $("quality-label").hidden = $("scale-label").hidden = draft.kind() !== "painting";
}

function drawShares(place) {
  redraw($("shares"), place.styles.length < 2 ? [] : place.styles.map(id => {
    const slider = make("input", {
      type: "range", min: 0, max: 100, step: 5, value: place.shares[id] ?? 50,
      on: { input: event => draft.setPlace({ shares: { ...draft.place().shares, [id]: Number(event.target.value) } }, `share ${id}`) },
    });
    slider.dataset.key = `share ${id}`;
    return make("label", {}, make("span", {}, `${word("share")} ${nameOf(id)}`), slider);
  }));
}

function drawPlaces({ places, active }) {
  const called = at => at === 0 ? word(places.length > 1 ? "rest" : "everywhere") : `${word("place")} ${at}`;
  redraw($("places"), [
    ...places.map((one, at) => {
      const choice = button(`${called(at)} · ${one.styles.map(nameOf).join(" + ") || word("photo")}`, () => draft.set({ active: at }), {
        aria: { pressed: at === active },
      });
      choice.dataset.key = `place ${at}`;
      return choice;
    }),
    button(word("add_place"), () => draft.set({ places: [...places, { styles: [...draft.place().styles.slice(0, 1)], shares: {}, mask: null }], active: places.length })),
  ]);
  $("remove-place").hidden = active === 0;
  $("as-photo").hidden = active !== 0 || places.length === 1 || !places[0].styles.length;
}

export function removePlace() {
  const { places, active } = draft.now;
  draft.set({ places: places.filter((_, at) => at !== active), active: 0 });
}

// The photo in each manner that a network has learned.
export async function paintThumbnails({ id, frame }) {
  thumbnails.abort();
  thumbnails = new AbortController();
  const { signal } = thumbnails;
  for (const style of styles.filter(style => style.kind === "learned")) {
    try {
      const job = { photo: frame ?? id, brief: { regions: [{ styles: [style.id] }], settings: { size: THUMBNAIL_SIZE } } };
      style.picture = await api.look(job, signal) ?? style.picture;
    } catch { /* the name is enough */ }
    if (signal.aborted) return;
    const shown = $("styles").children[styles.indexOf(style)]?.firstChild;
    if (shown && style.picture) shown.replaceWith(small(style.picture));
  }
}
