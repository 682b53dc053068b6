// The page: what belongs to it is put together here.
import * as api from "/page/api.js";
import * as camera from "/page/camera.js";
import * as draft from "/page/draft.js";
import * as easel from "/page/easel.js";
import { $, tell } from "/page/make.js";
import * as manner from "/page/manner.js";
import * as masks from "/page/masks.js";
import * as more from "/page/more.js";
import { current, speak, word } from "/page/words.js";
import * as works from "/page/works.js";

const LOOK_SIZE = 640, SETTLE = 120, FIELDS = ["strength", "color", "scale", "keep", "size", "quality", "steady"];
let looking = new AbortController(), settling = 0, looked = "", batch = [];

const fail = error => { if (error.name !== "AbortError") tell(`${word("failed")} ${error.message}`); };

// Photos

async function take(files) {
  const chosen = [...files].filter(file => /^(image|video)\//.test(file.type) || !file.type);
  batch = [];
  for (const [number, file] of chosen.entries()) {
    tell(chosen.length > 1 ? `${word("reading")} ${number + 1} ${word("of")} ${chosen.length}` : word("reading"));
    try {
      const photo = await api.upload(file);
      if (chosen.length === 1 && photo.asked) { takeUp(photo); return; }
      batch.push(photo);
      if (batch.length === 1) usePhoto(photo);
      tell("");
    } catch (error) { fail(error); }
  }
  showControls();
}

function usePhoto(photo) {
  draft.usePhoto(photo, manner.known()[0]?.id);
  manner.paintThumbnails(photo);
}

// A result of ours brings its settings back; without its photo, it is itself the photo.
function takeUp({ asked, missing, ...own }) {
  draft.ofBrief(asked.photo ? { id: asked.photo } : own, asked.brief, ...more.readSettings(asked.brief));
  tell(word(missing.length ? "settings_missing" : "settings_back"));
  manner.paintThumbnails(draft.now.photo);
}

// Looks

function lookSoon() {
  clearTimeout(settling);
  settling = setTimeout(lookNow, SETTLE);
}

const wish = () => draft.now.photo && draft.job(LOOK_SIZE, true);

async function lookNow() {
  const { photo } = draft.now, job = wish(), wanted = JSON.stringify(job);
  if (!job || works.current() || wanted === looked) return;
  looking.abort();
  looking = new AbortController();
  const { signal } = looking, isLate = () => signal.aborted || works.current();
  tell(word("looking"));
  try {
    const picture = await api.look(job, signal);
    if (isLate() || !picture) return;
    const now = JSON.stringify(wish());
    if (now === wanted) {
      looked = wanted;
      easel.show(api.photoOf(photo.id), picture);
    }
    if (now === looked) tell(word("shown"));
  } catch (error) { if (!isLate()) fail(error); }
}

function changed() {
  works.choose(null);
  works.forgetDeleted();
  if (!batch.some(photo => photo.id === draft.now.photo?.id)) batch = [];
  draw();
}

function draw() {
  const { photo } = draft.now;
  if (photo && !works.current() && !$("before").src.endsWith(photo.id)) {
    easel.show(api.photoOf(photo.id));
    looked = "";
  }
  manner.draw();
  more.draw();
  showControls();
  drawMask();
  lookSoon();
}

function showControls() {
  const { settings, photo } = draft.now;
  for (const name of FIELDS) $(name).value = settings[name];
  $("strength-told").value = `${settings.strength} %`;
  $("scale-told").value = settings.scale;
  $("steady-told").value = `${settings.steady} %`;
  $("steady-label").hidden = !photo?.frame;
  $("undo").disabled = !draft.canUndo() && !works.canBringBack();
  $("redo").disabled = !draft.canRedo();
  $("paint").disabled = !photo || !draft.job();
  $("paint").textContent = batch.length > 1 ? `${word("paint_all")} (${batch.length})` : word("paint");
}

function drawMask() {
  const { photo, settings, active, keepMask } = draft.now;
  if (!photo || (active === 0 && settings.keep !== "brush")) { masks.draw(null); return; }
  masks.draw({
    key: `${photo.id} ${active}`, photo: photo.id, still: photo.frame ?? photo.id, mask: active ? draft.place().mask : keepMask,
    changed: mask => { if (draft.now.photo?.id === photo.id) draft.setMask(active, mask); },
  });
}

// Painting

async function paint() {
  const job = draft.job();
  if (!job) return;
  looking.abort();
  clearTimeout(settling);
  const photos = batch.length > 1 ? batch.map(photo => photo.id) : [job.photo];
  $("paint").disabled = true;
  try {
    for (const [number, photo] of photos.entries()) {
      const entered = await enter({ ...job, photo });
      works.changed(entered);
      if (number === 0) works.choose(entered.id);
      else tell(`${number + 1} ${word("of")} ${photos.length} ${word("entered")}`);
    }
    batch = [];
  } catch (error) { fail(error); }
  masks.draw(null);
  showControls();
}

// When too many wait already, wait as long as the server asks for.
async function enter(job) {
  for (;;) {
    try {
      return await api.enter(job);
    } catch (error) {
      if (error.code !== "queue_full") throw error;
      await new Promise(resolve => setTimeout(resolve, 1000 * (error.wait || 5)));
    }
  }
}

// A work that was deleted after the last change of the draft comes back first.
async function undo() {
  if (!await works.bringBack()) draft.undo();
  showControls();
}

// Keys and hands

const keys = {
  p: paint, s: works.stopOrGoOn, l: works.star, b: () => masks.useTool("brush"), e: () => masks.useTool("erase"),
  "[": () => masks.resize(0.8), "]": () => masks.resize(1.25), "+": () => easel.zoom(1.5), "=": () => easel.zoom(1.5),
  "-": () => easel.zoom(1 / 1.5), 0: easel.fit, "?": () => $("help").showModal(),
};

function pressed(event) {
  const writing = event.target.matches("input:not([type=range], [type=checkbox]), select, textarea"), key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "z" && !writing) {
    event.preventDefault();
    if (event.shiftKey) draft.redo(); else undo();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !writing && !document.querySelector("dialog[open]")) {
    if (/^[1-9]$/.test(key)) manner.chooseNumber(Number(key) - 1);
    else keys[key]?.();
  }
}

function listen() {
  const click = { undo, redo: draft.redo, paint, stop: works.stopOrGoOn, star: works.star, compare: works.compare,
    again: works.again, other: () => $("photo").click(), "open-camera": camera.open, "open-help": () => $("help").showModal(),
    delete: async () => { await works.remove(); showControls(); },
    "help-close": () => $("help").close(), "remove-place": manner.removePlace, "as-photo": () => draft.setPlace({ styles: [] }) };
  for (const [id, listener] of Object.entries(click)) $(id).addEventListener("click", listener);
  for (const name of FIELDS) {
    const value = () => ["strength", "scale", "steady"].includes(name) ? Number($(name).value) : $(name).value;
    $(name).addEventListener("input", () => draft.setting(name, value()));
  }
  $("photo").addEventListener("change", event => { take(event.target.files); });
  $("painting").addEventListener("change", event => manner.addPainting(event.target.files[0]));
  for (const id of ["search", "starred"]) $(id).addEventListener("input", works.draw);
  $("language").addEventListener("change", event => { speak(event.target.value); draw(); works.draw(); });
  addEventListener("keydown", pressed);
  addEventListener("paste", event => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
  addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("over"); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("over");
    const { files } = event.dataTransfer;
    if (event.target.closest?.("#palette")) manner.addPainting(files[0]); else take(files);
  });
  easel.listen(masks.isDrawing);
  masks.listen();
  camera.listen(take);
}

// Take up what was there before, if nothing new has come.
async function goOn() {
  const found = draft.now, newest = works.all()[0];
  const isThere = !found.photo || await fetch(api.photoOf(found.photo.id)).then(answer => answer.ok);
  if (draft.now !== found) return;
  if (!isThere) draft.set({ photo: null });
  if (newest && (!draft.now.photo || newest.photo === draft.now.photo.id)) works.choose(newest.id);
}

async function begin() {
  speak();
  $("language").value = current();
  listen();
  try {
    const found = draft.now;
    const [styles, jobs, schema, presets] = await Promise.all([api.styles(), api.jobs(), api.schema(), api.presets()]);
    more.learn(schema, presets);
    jobs.forEach(works.changed);
    manner.offer(styles, works.ownStyles());
    draft.whenChanged(changed);
    if (draft.now === found) await goOn();
    const { photo } = draft.now;
    if (photo && !draft.job()) draft.usePhoto(photo, styles[0]?.id);
    if (photo) manner.paintThumbnails(photo);
    draw();
    api.follow(Math.max(0, ...jobs.map(job => job.news)), works.changed, lost => { if (lost) tell(word("offline")); });
  } catch (error) { fail(error); }
}

await begin();
performance.mark("ready");
