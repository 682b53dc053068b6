// What is to be painted: a photo, places with their manners, and settings. Every change can be undone.
const KEPT = 100, ONE_CHANGE = 800;
const fresh = () => ({
  photo: null, places: [{ styles: [], shares: {}, mask: null }], active: 0, keepMask: null,
  settings: { strength: 100, color: "style", scale: 1, keep: "", size: "1024", quality: "balanced", steady: 90 }, more: {},
});

export let now = restored();
const past = [], future = [], listeners = [];
let last = { name: "", at: 0 };

export const whenChanged = listener => listeners.push(listener);
export const place = () => now.places[now.active] ?? now.places[0];
export const isOwn = style => /^[0-9a-f]{64}$/.test(style);
export const kindOf = style => isOwn(style) ? "painting" : style.split(":")[0];

// Changes that come close upon each other under one name, as those of a slider, are undone as one.
export function set(changes, name = "") {
  const at = performance.now();
  if (!name || name !== last.name || at - last.at > ONE_CHANGE) {
    past.push(now);
    past.splice(0, past.length - KEPT);
  }
  last = { name, at };
  future.length = 0;
  replace({ ...now, ...changes });
}

export const setting = (name, value) => set({ settings: { ...now.settings, [name]: value } }, name);
export const setPlace = (changes, name) => set({ places: now.places.map(one => one === place() ? { ...one, ...changes } : one) }, name);

// The mask of a place; of the first, which has none, what stays a photo.
export function setMask(at, mask) {
  if (at === 0) set({ keepMask: mask });
  else if (now.places[at]) set({ places: now.places.map((one, number) => number === at ? { ...one, mask } : one) });
}

export function undo() {
  if (!past.length) return false;
  future.push(now);
  replace(past.pop());
  return true;
}

export function redo() {
  if (!future.length) return false;
  past.push(now);
  replace(future.pop());
  return true;
}

export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;

function replace(next) {
  now = next;
  localStorage.setItem("draft", JSON.stringify(now));
  listeners.forEach(listener => listener());
}

function restored() {
  try {
    const kept = JSON.parse(localStorage.getItem("draft"));
    if (kept?.places?.length && kept.settings) return { ...fresh(), ...kept, settings: { ...fresh().settings, ...kept.settings } };
  } catch { /* it is of another time */ }
  return fresh();
}

// Another photo, in the manner of the first place; masks were of the old one. A film is at first painted in one pass.
export function usePhoto(photo, style) {
  const { styles, shares } = now.places[0];
  const settings = { ...now.settings, ...(photo.frame && { quality: "instant" }) };
  set({ photo, settings, places: [{ styles: styles.length || !style ? styles : [style], shares, mask: null }], active: 0, keepMask: null });
}

// Choose a style for the active place, alone or beside those that it has; whether others had to go.
export function choose(id, beside) {
  const { styles } = place();
  const next = !beside ? [id] : styles.includes(id) ? styles.filter(one => one !== id) : [...styles, id];
  const unlike = one => kindOf(one) !== kindOf(id);
  const replaced = [...next, ...now.places.flatMap(one => one === place() ? [] : one.styles)].some(unlike);
  set({ places: now.places.map(one => {
    if (one === place()) return { ...one, styles: next.filter(style => !unlike(style)) };
    return one.styles.some(unlike) ? { ...one, styles: [id] } : one;
  }) });
  return replaced;
}

const painted = () => now.places.filter((one, at) => one.styles.length && (at === 0 || one.mask));

export const kind = () => painted().length ? kindOf(painted()[0].styles[0]) : "";
export const isSlow = () => kind() === "painting" && now.settings.quality !== "instant";

// The job: as it is to be painted, or a quick look at it.
export function job(size = now.settings.size, quick = false) {
  const { strength, color, scale, keep, quality } = now.settings, own = kind() === "painting", slow = isSlow() && !quick;
  const more = Object.entries(now.more).filter(([name]) => quick ? EVERYWHERE.includes(name) : suits(name));
  const settings = { strength: strength / 100, color, size: size === "max" ? size : Number(size), ...Object.fromEntries(more) };
  if (own) settings.style_scale = Number(scale);
  const kept = keep === "brush" ? now.keepMask : keep;
  const regions = painted().map(one => ({
    styles: one.styles, ...(one.mask && { mask: one.mask }),
    ...(one.styles.length > 1 && { blend: one.styles.map(style => Number(one.shares[style] ?? 50)) }),
  }));
  if (regions.length && !regions.some(region => region.blend?.every(share => share === 0))) return {
    photo: quick ? now.photo?.frame ?? now.photo?.id : now.photo?.id,
    ...(!quick && now.photo?.frame && { steady: now.settings.steady / 100 }),
    brief: { regions, settings, ...(kept && { keep: kept }), ...(own && { engine: slow ? "optimize" : "instant" }) },
    ...(slow && { preset: quality }),
  };
  return null;
}

// Whether what paints knows a setting under "more".
const EVERYWHERE = ["seed", "painted_size"];
export const suits = name => name === "adapt" ? kind() === "painting" && !isSlow() : isSlow() || EVERYWHERE.includes(name);

// The draft that a brief tells of.
export function ofBrief(photo, brief, quality, more) {
  const { size = 512, strength = 1, color = "style", style_scale = 1 } = brief.settings ?? {};
  const first = brief.regions[0], keep = brief.keep ?? "";
  const places = brief.regions.map(region => ({
    styles: region.styles, mask: region.mask ?? null,
    shares: Object.fromEntries(region.styles.map((style, at) => [style, region.blend?.[at] ?? 50])),
  }));
  if (first.mask) places.unshift({ styles: [], shares: {}, mask: null });
  const given = first.strength ?? strength;
  set({
    photo, places, active: 0, keepMask: isOwn(keep) ? keep : null, more,
    settings: {
      strength: typeof given === "number" ? Math.round(100 * given) : 100, color: first.color ?? color,
      scale: first.style_scale ?? style_scale, keep: isOwn(keep) ? "brush" : keep, size: String(size),
      quality: brief.engine === "instant" ? "instant" : quality ?? now.settings.quality,
    },
  });
}
