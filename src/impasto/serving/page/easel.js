// The picture: photo and painting with a wipe between them, enlarged and moved at will.
import { $ } from "/page/make.js";
import { word } from "/page/words.js";

const LARGEST = 16, STEP = 1.5, ALONG = 60;
const view = { scale: 1, x: 0, y: 0 };
const fingers = new Map();
let sharp = null;

// `fine` is loaded when it is looked at closely.
export function show(photo, painted = "", fine = null) {
  $("empty").hidden = true;
  for (const id of ["shown", "palette", "other", "paint"]) $(id).hidden = false;
  showFilm(null);
  if (!$("before").src.endsWith(photo)) $("before").src = photo;
  $("before").alt = word("photo_alt");
  $("after").alt = painted ? word("painted_alt") : "";
  if (painted) $("after").src = painted; else $("after").removeAttribute("src");
  sharp = painted ? fine : null;
  sharpen();
}

// A painted film in place of the picture; null shows the picture again.
export function showFilm(source) {
  const film = $("film");
  film.hidden = !source;
  $("stage").hidden = $("view").hidden = Boolean(source);
  if (!source) film.removeAttribute("src"); else if (!film.src.endsWith(source)) film.src = source;
}

function sharpen() {
  if (view.scale > 1 && sharp) $("after").src = sharp;
  if (view.scale > 1) sharp = null;
}

export function zoom(factor, x = 0.5, y = 0.5) {
  const scale = Math.min(LARGEST, Math.max(1, view.scale * factor)), change = scale / view.scale;
  const { width, height } = $("stage").getBoundingClientRect();
  view.x = x * width - change * (x * width - view.x);
  view.y = y * height - change * (y * height - view.y);
  view.scale = scale;
  place();
  sharpen();
}

export const fit = () => zoom(0);

export function move(dx, dy) {
  view.x += dx;
  view.y += dy;
  place();
}

function place() {
  const { width, height } = $("stage").getBoundingClientRect();
  view.x = Math.min(0, Math.max(width * (1 - view.scale), view.x));
  view.y = Math.min(0, Math.max(height * (1 - view.scale), view.y));
  $("layers").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  $("stage").classList.toggle("close", view.scale > 1);
  $("zoom-told").textContent = `${Math.round(100 * view.scale)} %`;
}

// Whether the fingers on the picture move it; one alone only when nobody draws.
export function listen(isDrawing) {
  const stage = $("stage"), { style } = $("layers");
  $("before").addEventListener("load", () => style.setProperty("--ratio", $("before").naturalWidth / $("before").naturalHeight));
  $("zoom-in").addEventListener("click", () => zoom(STEP));
  $("zoom-out").addEventListener("click", () => zoom(1 / STEP));
  $("zoom-fit").addEventListener("click", fit);
  $("wipe").addEventListener("input", event => $("after").style.setProperty("--wipe", `${event.target.value}%`));
  stage.addEventListener("wheel", event => {
    if (!event.ctrlKey && view.scale === 1) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, { passive: false });
  stage.addEventListener("dblclick", event => { if (!isDrawing()) view.scale > 1 ? fit() : zoom(3, ...shares(event)); });
  stage.addEventListener("keydown", event => {
    const way = { ArrowLeft: [ALONG, 0], ArrowRight: [-ALONG, 0], ArrowUp: [0, ALONG], ArrowDown: [0, -ALONG] }[event.key];
    if (way && view.scale > 1) { event.preventDefault(); move(...way); }
  });
  stage.addEventListener("pointerdown", event => {
    if (isDrawing() && fingers.size === 0 && event.isPrimary && event.button === 0) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", event => {
    if (!fingers.has(event.pointerId)) return;
    const [x, y] = fingers.get(event.pointerId), before = spread();
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) zoom(spread() / before, ...shares(event));
    else if (view.scale > 1) move(event.clientX - x, event.clientY - y);
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, event => fingers.delete(event.pointerId));
  addEventListener("resize", place);
}

function shares(event) {
  const box = $("stage").getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

function spread() {
  const [[ax, ay], [bx, by] = [ax, ay]] = fingers.values();
  return Math.hypot(ax - bx, ay - by) || 1;
}
