export default {
  // the picture
  picture: "Picture", drop: "Drop photos or a film here, paste one, or", choose: "choose them", other: "Another photo",
  private: "They stay on this machine.", photo_alt: "the photo", painted_alt: "the painting", reading: "Reading the picture …",
  wipe: "Wipe between photo and painting", zoom_in: "Larger", zoom_out: "Smaller", zoom_fit: "Fit",
  stage: "Picture; drag or use the arrow keys to move it when it is enlarged", camera: "Camera", take: "Take the picture",
  close: "Close", no_camera: "There is no camera that this page may use.",
  // manners and places
  styles: "Manner", painting: "Add a painting …", mix: "Mix several", share: "Share of", own: "your painting",
  one_kind: "Paintings and learned manners do not mix in one picture; the others were replaced.",
  not_commercial: "This style's licence forbids commercial use:",
  places: "Where", everywhere: "Everywhere", rest: "The rest", place: "Place", add_place: "Add a place", remove_place: "Remove this place",
  as_photo: "Leave as photo", photo: "photo", draw: "Brush over the place, draw a box around it, or click on it.",
  tools: "Drawing", brush: "Brush", erase: "Eraser", box: "Box", points: "Points", mask_size: "Size", softness: "Softness",
  clear: "Clear", subject: "What it is of", face: "Faces", finding: "Finding it …",
  // settings
  controls: "How", strength: "Strength", color: "Colours", color_style: "of the painting",
  color_harmony: "of the painting, in the photo's hues", color_content: "of the photo", scale: "Stroke size",
  steady: "Steadiness of the film", frames_done: "frames",
  keep: "Stays a photo", keep_nothing: "nothing", keep_subject: "what it is of", keep_face: "faces", keep_brush: "what I brush over",
  size: "Size of the result, in pixels", size_max: "as large as the photo", quality: "Care", quality_instant: "at once",
  quality_draft: "a draft", quality_balanced: "good", quality_best: "the best", more: "More",
  undo: "Undo", redo: "Redo", as_is: "as it is",
  // painting
  paint: "Paint it properly", paint_all: "Paint all", stop: "Stop", go_on: "Go on", progress: "Progress",
  looking: "A first look …", shown: "This is a first look; paint it properly when you like it.", painting_now: "Painting",
  left: "left", seconds: "s", minutes: "min", done: "Painted.", waiting: "Waiting for its turn …",
  stopped: "Stopped; the picture is kept, and it can go on.", failed: "That did not work:",
  offline: "The studio does not answer; is it still running?", entered: "photos wait to be painted", of: "of",
  // what was painted
  history: "Painted before", download: "Download", star: "Like it", starred: "Only what I like", search: "Search by manner",
  again: "Again, with changes", compare: "Compare", compare_with: "Choose what to compare it with.", comparing: "Compared with another painting.",
  delete: "Delete", deleted: "Deleted; undo brings it back.", back: "It is back.", nothing: "Nothing is like that.",
  settings_back: "Its settings are back.", settings_missing: "Its settings are back, but some of its pictures are not here; add them again.",
  // the page
  language: "Language", help: "Keys", keys: "Keys",
  key_p: "paint it properly", key_s: "stop, or go on", key_l: "like it", key_b: "brush", key_e: "eraser", key_brackets: "smaller or larger brush",
  key_zoom: "larger, smaller, fit", key_arrows: "move the enlarged picture", key_numbers: "choose a manner", key_undo: "undo, redo",
};
