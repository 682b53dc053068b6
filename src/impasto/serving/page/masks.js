// Drawing where a place is: brush, eraser, box, points; white is in. A mask is kept by the server, and known by its id.
import * as api from "/page/api.js";
import { $, tell } from "/page/make.js";
import { word } from "/page/words.js";

const FINEST = 2, known = new Map();
const tool = { name: "brush", size: 60, softness: 30 };
let target = null, shown = "", points = [], stroke = null, saving = Promise.resolve();

export const isDrawing = () => target !== null;
export const useTool = name => {
  tool.name = name;
  points = [];
  for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === name);
};
export const resize = factor => {
  tool.size = Math.min(400, Math.max(4, tool.size * factor));
  $("mask-size").value = tool.size;
};

// Let a mask be drawn: `key` says of what, `mask` is its id or null, `changed(id)` is told of every stroke; null ends it.
export async function draw(next) {
  target = next;
  $("tools").hidden = $("mask").hidden = !next;
  $("stage").classList.toggle("drawing", Boolean(next));
  if (!next) { shown = ""; return; }
  const canvas = $("mask"), photo = $("before");
  if (!photo.complete || !photo.naturalWidth) await photo.decode().catch(() => {});
  if (target !== next) return;
  const wanted = `${next.photo} ${next.mask}`;
  if (wanted === shown) return;
  shown = wanted;
  points = [];
  canvas.width = photo.naturalWidth;
  canvas.height = photo.naturalHeight;
  if (next.mask) await load(next.mask, canvas, () => shown === wanted);
}

async function load(id, canvas, still) {
  const picture = known.get(id) ?? Object.assign(new Image(), { src: api.photoOf(id) });
  if (picture instanceof Image) await picture.decode().catch(() => {});
  if (!still()) return;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  if (!(picture instanceof Image)) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height), { data } = pixels, [r, g, b] = ink();
  for (let at = 0; at < data.length; at += 4) {
    data[at + 3] = data[at];
    data[at] = r; data[at + 1] = g; data[at + 2] = b;
  }
  context.putImageData(pixels, 0, 0);
}

const ink = () => [224, 84, 40];

// A stroke

function at(event) {
  const box = $("mask").getBoundingClientRect(), canvas = $("mask");
  return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
}

function dab(context, x, y, pressure) {
  const scale = $("mask").width / $("mask").getBoundingClientRect().width;
  const radius = Math.max(FINEST, tool.size / 2 * scale * (pressure || 0.5) * 2), soft = Math.min(0.98, tool.softness / 100);
  const shade = context.createRadialGradient(x, y, radius * (1 - soft), x, y, radius), color = ink().join();
  shade.addColorStop(0, `rgb(${color})`);
  shade.addColorStop(1, `rgba(${color}, 0)`);
  context.globalCompositeOperation = tool.name === "erase" ? "destination-out" : "source-over";
  context.fillStyle = shade;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  return radius;
}

function along(event) {
  const context = $("mask").getContext("2d");
  const pressure = event.pointerType === "pen" ? event.pressure : 0.5;
  const [x, y] = at(event), [fromX, fromY] = stroke.last, length = Math.hypot(x - fromX, y - fromY);
  const steps = Math.max(1, Math.ceil(length / Math.max(2, stroke.radius / 4)));
  for (let step = 1; step <= steps; step++)
    stroke.radius = dab(context, fromX + (x - fromX) * step / steps, fromY + (y - fromY) * step / steps, pressure);
  stroke.last = [x, y];
}

function down(event) {
  if (!target || !event.isPrimary || event.button !== 0) return;
  $("mask").setPointerCapture(event.pointerId);
  event.preventDefault();
  stroke = { last: at(event), first: at(event), radius: 8, outside: event.altKey };
  if (tool.name === "brush" || tool.name === "erase") along(event);
}

function moved(event) {
  if (!stroke || !event.isPrimary) return;
  if (tool.name === "box") showBox(stroke.first, at(event));
  else if (tool.name !== "points") for (const one of event.getCoalescedEvents?.() ?? [event]) along(one);
}

function up(event) {
  if (!stroke || !event.isPrimary) return;
  const { first, outside } = stroke, last = at(event);
  stroke = null;
  $("box").hidden = true;
  if (tool.name === "brush" || tool.name === "erase") keep();
  else if (tool.name === "box") find({ box: sorted(first, last) });
  else {
    points.push({ place: share(last), outside });
    const of = wanted => points.filter(point => point.outside === wanted).map(point => point.place);
    find({ points: of(false), outside: of(true) });
  }
}

const share = ([x, y]) => [x / $("mask").width, y / $("mask").height].map(value => Math.min(1, Math.max(0, value)));

function sorted(first, last) {
  const [a, b] = share(first), [c, d] = share(last);
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

function showBox(first, last) {
  const [left, top, right, bottom] = sorted(first, last), box = $("box");
  box.hidden = false;
  Object.assign(box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
}

// Keep the mask as it is now; strokes are kept one after the other.
function keep() {
  const canvas = $("mask"), { key, photo, changed } = target;
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  copy.getContext("2d").drawImage(canvas, 0, 0);
  saving = saving.then(async () => {
    const { id } = await api.upload(await asFile(copy));
    known.set(id, copy);
    if (known.size > 20) known.delete(known.keys().next().value);
    if (target?.key === key) shown = `${photo} ${id}`;
    changed(id);
  }).catch(error => tell(`${word("failed")} ${error.message}`));
  return saving;
}

// White where it is drawn, black elsewhere.
function asFile(drawn) {
  const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height });
  const context = canvas.getContext("2d");
  context.drawImage(drawn, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
}

// Let the server find what is meant.
export async function find(what) {
  if (!target) return;
  const { still: photo, changed } = target;
  tell(word("finding"));
  try {
    const { id } = await api.mask({ photo, ...what });
    tell("");
    changed(id);
  } catch (error) { tell(`${word("failed")} ${error.message}`); }
}

export function clear() {
  if (!target) return;
  points = [];
  $("mask").getContext("2d").clearRect(0, 0, $("mask").width, $("mask").height);
  shown = `${target.photo} null`;
  target.changed(null);
}

export function listen() {
  const canvas = $("mask");
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", moved);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", () => { stroke = null; $("box").hidden = true; });
  for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => useTool(button.dataset.tool));
  for (const button of document.querySelectorAll("[data-find]")) button.addEventListener("click", () => find({ of: button.dataset.find }));
  $("mask-size").addEventListener("input", event => { tool.size = Number(event.target.value); });
  $("softness").addEventListener("input", event => { tool.softness = Number(event.target.value); });
  $("mask-clear").addEventListener("click", clear);
  useTool("brush");
}
