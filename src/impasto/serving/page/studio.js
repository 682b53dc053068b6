import * as api from "/page/api.js";
import { current, speak, word } from "/page/words.js";

const LOOK_SIZE = 640, THUMBNAIL_SIZE = 160, SETTLE = 120;
const $ = id => document.getElementById(id);
const state = { photo: null, style: null, styles: [], works: new Map(), chosen: null, began: new Map() };
let looking = new AbortController(), settling = 0, thumbnails = new AbortController();

const isOwn = style => !style.includes(":") && /^[0-9a-f]{64}$/.test(style);
const tell = text => { $("status").textContent = text; };
const fail = error => { if (error.name !== "AbortError") tell(`${word("failed")} ${error.message}`); };

function brief(style, size, quick) {
  const own = isOwn(style), slow = own && !quick && $("quality").value !== "instant";
  const settings = { strength: $("strength").value / 100, color: $("color").value, size: size === "max" ? size : Number(size) };
  if (own) settings.style_scale = Number($("scale").value);
  const engine = own ? { engine: slow ? "optimize" : "instant" } : {};
  const keep = $("keep").value ? { keep: $("keep").value } : {};
  return {
    photo: state.photo.id, brief: { regions: [{ styles: [style] }], settings, ...keep, ...engine },
    ...(slow ? { preset: $("quality").value } : {}),
  };
}

// The picture

function show(source, painted = "") {
  $("empty").hidden = true;
  $("shown").hidden = $("palette").hidden = $("other").hidden = false;
  $("before").src = source;
  $("before").alt = word("photo_alt");
  $("after").alt = painted ? word("painted_alt") : "";
  if (painted) $("after").src = painted; else $("after").removeAttribute("src");
}

async function take(file) {
  if (!file) return;
  tell(word("reading"));
  try {
    usePhoto(await api.upload(file));
  } catch (error) { fail(error); }
}

function usePhoto(photo) {
  state.photo = photo;
  state.chosen = null;
  $("download").hidden = $("delete").hidden = $("progress").hidden = true;
  show(api.photoOf(photo.id));
  tell("");
  state.style ??= state.styles[0]?.id;
  lookSoon();
  paintThumbnails();
}

function lookSoon() {
  if (!state.photo || !state.style) return;
  clearTimeout(settling);
  settling = setTimeout(lookNow, SETTLE);
}

async function lookNow() {
  looking.abort();
  looking = new AbortController();
  const { signal } = looking;
  tell(word("looking"));
  try {
    const picture = await api.look(brief(state.style, LOOK_SIZE, true), signal);
    if (signal.aborted || !picture) return;
    state.chosen = null;
    $("download").hidden = $("delete").hidden = true;
    show(api.photoOf(state.photo.id), picture);
    tell(word("shown"));
  } catch (error) { fail(error); }
}

// A picture on a button, or the place for one.
const small = source => source
  ? Object.assign(document.createElement("img"), { src: source, alt: "", loading: "lazy" })
  : Object.assign(document.createElement("span"), { className: "blank" });

// Styles

function drawStyles() {
  $("styles").replaceChildren(...state.styles.map(style => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", style.id === state.style);
    button.append(small(style.picture), style.name ?? word("own"));
    button.addEventListener("click", () => chooseStyle(style.id));
    return button;
  }));
  const own = state.style && isOwn(state.style);
  $("quality-label").hidden = $("scale-label").hidden = !own;
}

function chooseStyle(id) {
  state.style = id;
  for (const [number, button] of [...$("styles").children].entries())
    button.setAttribute("aria-pressed", state.styles[number].id === id);
  $("quality-label").hidden = $("scale-label").hidden = !isOwn(id);
  lookSoon();
}

async function addPainting(file) {
  if (!file) return;
  tell(word("reading"));
  try {
    const { id } = await api.upload(file);
    if (!state.styles.some(style => style.id === id)) state.styles.unshift({ id, picture: api.photoOf(id) });
    state.style = id;
    drawStyles();
    lookSoon();
  } catch (error) { fail(error); }
}

async function paintThumbnails() {
  thumbnails.abort();
  thumbnails = new AbortController();
  const { signal } = thumbnails, photo = state.photo.id;
  for (const style of state.styles.filter(style => !isOwn(style.id))) {
    try {
      const job = { photo, brief: { regions: [{ styles: [style.id] }], settings: { size: THUMBNAIL_SIZE } } };
      style.picture = await api.look(job, signal) ?? style.picture;
    } catch { /* the name is enough */ }
    if (signal.aborted) return;
    const shown = $("styles").children[state.styles.indexOf(style)]?.firstChild;
    if (shown && style.picture) shown.replaceWith(small(style.picture));
  }
}

// Jobs

async function paint() {
  looking.abort();
  clearTimeout(settling);
  $("paint").disabled = true;
  try {
    const job = await api.enter(brief(state.style, $("size").value, false));
    state.chosen = job.id;
    changed(job);
  } catch (error) { fail(error); }
  $("paint").disabled = false;
}

function changed(job) {
  if (job.id.startsWith("look-")) return;
  if (job.state === "cancelled") state.works.delete(job.id); else state.works.set(job.id, job);
  if (job.id === state.chosen) showJob(job);
  drawWorks();
}

function showJob(job) {
  const ended = !["waiting", "running"].includes(job.state), has = ["done", "stopped"].includes(job.state);
  $("progress").hidden = !["waiting", "running", "stopped"].includes(job.state);
  $("bar").value = job.done;
  $("stop").textContent = word(ended ? "go_on" : "stop");
  const photo = api.photoOf(job.photo);
  if (has) show(photo, `${api.resultOf(job.id)}?news=${job.news}`);
  else if (job.preview && !ended) show(photo, api.previewOf(job));
  $("download").hidden = !has;
  $("delete").hidden = job.state === "cancelled";
  $("download").href = `${api.resultOf(job.id)}?download=true`;
  tell({
    waiting: word("waiting"), running: `${word("painting_now")} ${Math.round(100 * job.done)} % ${timeLeft(job)}`,
    cancelled: word("deleted"), done: word("done"), stopped: word("stopped"), failed: `${word("failed")} ${job.message}`,
  }[job.state] ?? "");
}

function timeLeft(job) {
  const now = performance.now() / 1000;
  if (!state.began.has(job.id)) state.began.set(job.id, [now, job.done]);
  const [began, done] = state.began.get(job.id);
  if (job.done - done < 0.05) return "";
  const left = (now - began) / (job.done - done) * (1 - job.done);
  return `· ${left < 90 ? `${Math.ceil(left)} ${word("seconds")}` : `${Math.ceil(left / 60)} ${word("minutes")}`} ${word("left")}`;
}

function drawWorks() {
  const works = [...state.works.values()].sort((a, b) => b.entered - a.entered);
  $("history").hidden = works.length === 0;
  $("works").replaceChildren(...works.map(job => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-current", job.id === state.chosen);
    const has = ["done", "stopped"].includes(job.state), style = job.brief.regions[0].styles[0];
    button.append(small(has && `${api.resultOf(job.id)}?news=${job.news}`), isOwn(style) ? word("own") : style.split(":").at(-1));
    button.addEventListener("click", () => openWork(job.id));
    item.append(button);
    return item;
  }));
}

function openWork(id) {
  const job = state.works.get(id);
  looking.abort();
  state.chosen = id;
  if (state.photo?.id !== job.photo) {
    state.photo = { id: job.photo };
    show(api.photoOf(job.photo));
    paintThumbnails();
  }
  showJob(job);
  drawWorks();
}

async function remove() {
  try {
    changed(await api.remove(state.chosen));
  } catch (error) { fail(error); }
}

async function stopOrGoOn() {
  const job = state.works.get(state.chosen);
  if (!job) return;
  try {
    state.began.delete(job.id);
    changed(await (job.state === "stopped" ? api.goOn(job.id) : api.stop(job.id)));
  } catch (error) { fail(error); }
}

// The page

function listen() {
  $("photo").addEventListener("change", event => take(event.target.files[0]));
  $("painting").addEventListener("change", event => addPainting(event.target.files[0]));
  $("other").addEventListener("click", () => $("photo").click());
  $("wipe").addEventListener("input", event => $("after").style.setProperty("--wipe", `${event.target.value}%`));
  $("strength").addEventListener("input", event => { $("strength-told").value = `${event.target.value} %`; lookSoon(); });
  $("scale").addEventListener("input", event => { $("scale-told").value = event.target.value; lookSoon(); });
  $("color").addEventListener("change", lookSoon);
  $("keep").addEventListener("change", lookSoon);
  $("delete").addEventListener("click", remove);
  $("paint").addEventListener("click", paint);
  $("stop").addEventListener("click", stopOrGoOn);
  $("language").addEventListener("change", event => { speak(event.target.value); drawStyles(); drawWorks(); });
  addEventListener("paste", event => take([...event.clipboardData.files].find(file => file.type.startsWith("image/"))));
  addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("over"); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("over");
    (event.target.closest?.("#palette") ? addPainting : take)(event.dataTransfer.files[0]);
  });
}

async function begin() {
  speak();
  $("language").value = current();
  listen();
  try {
    const [styles, works] = await Promise.all([api.styles(), api.jobs()]);
    state.styles = styles;
    state.style ??= styles[0]?.id;
    works.forEach(job => state.works.set(job.id, job));
    const own = works.flatMap(job => job.brief.regions[0].styles).filter(isOwn);
    for (const id of new Set(own)) state.styles.push({ id, picture: api.photoOf(id) });
    drawStyles();
    drawWorks();
    if (state.photo) usePhoto(state.photo);
    else if (works[0]) openWork(works[0].id);
    api.follow(Math.max(0, ...works.map(job => job.news)), changed, lost => { if (lost) tell(word("offline")); });
  } catch (error) { fail(error); }
}

begin();
