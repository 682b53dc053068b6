// What was painted and what is being painted: shown, stopped, liked, compared, taken up again.
import * as api from "/page/api.js";
import * as draft from "/page/draft.js";
import { show, showFilm } from "/page/easel.js";
import { $, button, make, redraw, small, tell } from "/page/make.js";
import { nameOf } from "/page/manner.js";
import { readSettings } from "/page/more.js";
import { word } from "/page/words.js";

const works = new Map(), began = new Map();
let chosen = null, comparing = false, deleted = null;

const isEnded = job => !["waiting", "running"].includes(job.state);
const hasPicture = job => ["done", "stopped"].includes(job.state);
const fail = error => tell(`${word("failed")} ${error.message}`);
const stylesOf = job => job.brief.regions.flatMap(region => region.styles);

export const current = () => works.get(chosen);
export const all = () => [...works.values()].sort((a, b) => b.entered - a.entered);
export const ownStyles = () => new Set(all().flatMap(stylesOf).filter(draft.isOwn));

export function changed(job) {
  if (job.id.startsWith("look-")) return;
  if (job.state === "cancelled") works.delete(job.id); else works.set(job.id, job);
  if (job.id === chosen) showJob(job);
  draw();
}

export function choose(id) {
  chosen = id;
  if (id) showJob(works.get(id)); else for (const name of ["progress", "work"]) $(name).hidden = true;
  draw();
}

function showJob(job) {
  const ended = isEnded(job), photo = api.photoOf(job.photo);
  $("progress").hidden = ended && job.state !== "stopped";
  $("bar").value = job.done;
  $("stop").textContent = word(ended ? "go_on" : "stop");
  if (hasPicture(job)) show(photo, api.shownOf(job), job.film ? null : api.resultOf(job));
  if (hasPicture(job) && job.film) showFilm(api.resultOf(job));
  if (job.preview && !ended) show(photo, api.shownOf(job));
  $("work").hidden = job.state === "cancelled";
  for (const id of ["download", "compare"]) $(id).hidden = !hasPicture(job);
  $("download").href = `${api.resultOf(job)}&download=true`;
  $("star").setAttribute("aria-pressed", job.starred);
  tell({
    waiting: word("waiting"), running: `${word("painting_now")} ${Math.round(100 * job.done)} % ${timeLeft(job)} ${job.film && job.note ? `· ${job.note} ${word("frames_done")}` : ""}`,
    cancelled: word("deleted"), done: word("done"), stopped: word("stopped"), failed: `${word("failed")} ${job.message}`,
  }[job.state] ?? "");
}

function timeLeft(job) {
  const now = performance.now() / 1000;
  if (!began.has(job.id)) began.set(job.id, [now, job.done]);
  const [start, done] = began.get(job.id);
  if (job.done - done < 0.05) return "";
  const left = (now - start) / (job.done - done) * (1 - job.done);
  return `· ${left < 90 ? `${Math.ceil(left)} ${word("seconds")}` : `${Math.ceil(left / 60)} ${word("minutes")}`} ${word("left")}`;
}

export function draw() {
  const wanted = $("search").value.trim().toLowerCase(), liked = $("starred").checked;
  const found = all().filter(job => (!liked || job.starred) && stylesOf(job).map(nameOf).join(" ").toLowerCase().includes(wanted));
  $("history").hidden = works.size === 0;
  $("none").hidden = found.length > 0;
  redraw($("works"), found.map(job => {
    const name = [...new Set(stylesOf(job).map(nameOf))].join(" + ");
    const open = button(`${job.starred ? "★ " : ""}${name}`, () => pick(job.id), { aria: { current: job.id === chosen } });
    open.dataset.key = job.id;
    open.prepend(small(hasPicture(job) && api.thumbnailOf(job)));
    if (!isEnded(job)) open.append(make("progress", { max: 1, value: job.done, aria: { label: word("progress") } }));
    return make("li", {}, open);
  }));
}

function pick(id) {
  if (comparing && id !== chosen && hasPicture(works.get(id))) {
    comparing = false;
    const job = current();
    show(api.shownOf(works.get(id)), api.shownOf(job), api.resultOf(job));
    tell(word("comparing"));
    return;
  }
  usePhotoOf(works.get(id)).then(() => { if (works.has(id)) choose(id); }, fail);
}

async function usePhotoOf({ photo, film }) {
  if (photo === draft.now.photo?.id) return;
  draft.usePhoto(film ? await api.about(photo) : { id: photo });
}

// The ways of a work

export async function stopOrGoOn() {
  const job = current();
  if (!job || ["done", "failed", "cancelled"].includes(job.state)) return;
  try {
    began.delete(job.id);
    changed(await (job.state === "stopped" ? api.goOn(job.id) : api.stop(job.id)));
  } catch (error) { fail(error); }
}

export async function star() {
  const job = current();
  if (job) try { changed(await api.star(job.id, !job.starred)); } catch (error) { fail(error); }
}

export async function remove() {
  const job = current();
  if (!job) return;
  try {
    changed(await api.remove(job.id));
    deleted = job;
  } catch (error) { fail(error); }
}

export const canBringBack = () => deleted !== null;
export const forgetDeleted = () => { deleted = null; };

// The last one deleted, entered again: its result is still there. Whether there was one.
export async function bringBack() {
  if (!deleted) return false;
  const { photo, brief, steady } = deleted;
  deleted = null;
  try {
    const job = await api.enter({ photo, brief, steady });
    chosen = job.id;
    changed(job);
    tell(word("back"));
  } catch (error) { fail(error); }
  return true;
}

export function compare() {
  comparing = !comparing;
  tell(comparing ? word("compare_with") : "");
}

export async function again() {
  const job = current();
  if (!job) return;
  const photo = job.film ? await api.about(job.photo) : { id: job.photo };
  draft.ofBrief(photo, job.brief, ...readSettings(job.brief));
}
