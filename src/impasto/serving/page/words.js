// All words of the page, in each language.
const words = {
  en: {
    picture: "Picture", drop: "Drop a photo here, paste one, or", choose: "choose a photo", other: "Another photo",
    private: "It stays on this machine.", styles: "Manner", painting: "Add a painting …", controls: "How",
    strength: "Strength", color: "Colours", color_style: "of the painting", color_harmony: "of the painting, in the photo's hues",
    color_content: "of the photo", scale: "Stroke size", size: "Size of the result, in pixels", size_max: "as large as the photo",
    quality: "Care", quality_instant: "at once", quality_draft: "a draft", quality_balanced: "good", quality_best: "the best",
    keep: "Stays a photo", keep_nothing: "nothing", keep_subject: "what it is of", keep_face: "faces",
    paint: "Paint it properly", download: "Download", delete: "Delete", history: "Painted before", stop: "Stop", go_on: "Go on",
    wipe: "Wipe between photo and painting", progress: "Progress", language: "Language", reading: "Reading the picture …",
    looking: "A first look …", shown: "This is a first look; paint it properly when you like it.", painting_now: "Painting",
    left: "left", done: "Painted.", deleted: "Deleted.", stopped: "Stopped; the picture is kept, and it can go on.", failed: "That did not work:",
    waiting: "Waiting for its turn …", offline: "The studio does not answer; is it still running?", own: "your painting",
    photo_alt: "the photo", painted_alt: "the painting", seconds: "s", minutes: "min",
  },
  zh: {
    picture: "画面", drop: "把照片拖到这里、粘贴，或者", choose: "选择照片", other: "换一张照片",
    private: "照片不会离开这台电脑。", styles: "画风", painting: "添加一幅画……", controls: "画法",
    strength: "强度", color: "色彩", color_style: "取自画作", color_harmony: "取自画作，保留照片色调",
    color_content: "取自照片", scale: "笔触大小", size: "结果尺寸（像素）", size_max: "与照片相同",
    quality: "精细程度", quality_instant: "立即完成", quality_draft: "草稿", quality_balanced: "良好", quality_best: "最佳",
    keep: "保留为照片", keep_nothing: "不保留", keep_subject: "主体", keep_face: "人脸",
    paint: "认真画一幅", download: "下载", delete: "删除", history: "以前的作品", stop: "停止", go_on: "继续",
    wipe: "在照片与画作之间擦拭", progress: "进度", language: "语言", reading: "正在读取图片……",
    looking: "先看一眼……", shown: "这只是初稿；满意的话就认真画一幅。", painting_now: "正在作画",
    left: "剩余", done: "画好了。", deleted: "已删除。", stopped: "已停止；画面已保存，可以继续。", failed: "没有成功：",
    waiting: "正在排队……", offline: "工作室没有回应；它还在运行吗？", own: "你的画",
    photo_alt: "照片", painted_alt: "画作", seconds: "秒", minutes: "分钟",
  },
};

const stored = localStorage.getItem("language");
let language = stored in words ? stored : navigator.language.startsWith("zh") ? "zh" : "en";

export const word = name => words[language][name] ?? name;
export const current = () => language;

export function speak(chosen = language) {
  language = chosen in words ? chosen : "en";
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
}
