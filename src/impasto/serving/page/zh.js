export default {
  // the picture
  picture: "画面", drop: "把照片或影片拖到这里、粘贴，或者", choose: "选择照片", other: "换一张照片",
  private: "照片不会离开这台电脑。", photo_alt: "照片", painted_alt: "画作", reading: "正在读取图片……",
  wipe: "在照片与画作之间擦拭", zoom_in: "放大", zoom_out: "缩小", zoom_fit: "适合窗口",
  stage: "画面；放大后可拖动或用方向键移动", camera: "相机", take: "拍照", close: "关闭", no_camera: "没有可供本页面使用的相机。",
  // manners and places
  styles: "画风", painting: "添加一幅画……", mix: "混合几种", share: "所占比例：", own: "你的画",
  one_kind: "画作与学到的画风不能在同一幅画里混用；其他的已被替换。", not_commercial: "这种画风的许可不允许商业用途：",
  places: "位置", everywhere: "整幅画", rest: "其余部分", place: "区域", add_place: "添加区域", remove_place: "删除此区域",
  as_photo: "保留为照片", photo: "照片", draw: "用画笔涂抹、画一个框，或者点击它。",
  tools: "绘制", brush: "画笔", erase: "橡皮", box: "方框", points: "点选", mask_size: "大小", softness: "柔和",
  clear: "清除", subject: "主体", face: "人脸", finding: "正在寻找……",
  // settings
  controls: "画法", strength: "强度", color: "色彩", color_style: "取自画作", color_harmony: "取自画作，保留照片色调",
  color_content: "取自照片", scale: "笔触大小", steady: "影片稳定程度", frames_done: "帧", keep: "保留为照片", keep_nothing: "不保留", keep_subject: "主体", keep_face: "人脸",
  keep_brush: "我涂抹的部分", size: "结果尺寸（像素）", size_max: "与照片相同", quality: "精细程度", quality_instant: "立即完成",
  quality_draft: "草稿", quality_balanced: "良好", quality_best: "最佳", more: "更多", undo: "撤销", redo: "重做", as_is: "默认",
  setting_painted_size: "绘制尺寸", setting_seed: "变化", setting_learning_rate: "学习率", setting_style_loss: "风格损失",
  setting_style_weight: "风格权重", setting_content_loss: "内容损失", setting_content_weight: "内容权重",
  setting_content_growth: "内容随尺寸增长",
  setting_smoothness: "平滑方式", setting_smoothness_weight: "平滑权重", setting_start: "起始画面", setting_detail: "细节",
  setting_steps: "步数", setting_jitter: "抖动", setting_pyramid: "由粗到细", setting_optimizer: "优化器", setting_decay: "衰减",
  setting_averaging: "平均", setting_adapt: "适应步数", setting_pooling: "池化",
  // painting
  paint: "认真画一幅", paint_all: "全部绘制", stop: "停止", go_on: "继续", progress: "进度", looking: "先看一眼……",
  shown: "这只是初稿；满意的话就认真画一幅。", painting_now: "正在作画", left: "剩余", seconds: "秒", minutes: "分钟", done: "画好了。",
  waiting: "正在排队……", stopped: "已停止；画面已保存，可以继续。", failed: "没有成功：", offline: "工作室没有回应；它还在运行吗？",
  entered: "张照片正在排队", of: "/",
  // what was painted
  history: "以前的作品", download: "下载", star: "喜欢", starred: "只看喜欢的", search: "按画风搜索", again: "修改后再画",
  compare: "比较", compare_with: "请选择要比较的作品。", comparing: "正在与另一幅画比较。", delete: "删除", deleted: "已删除；撤销可恢复。",
  back: "已恢复。", nothing: "没有这样的作品。", settings_back: "已恢复它的设置。", settings_missing: "已恢复它的设置，但缺少一些图片，请重新添加。",
  // the page
  language: "语言", help: "快捷键", keys: "快捷键", key_p: "认真画一幅", key_s: "停止或继续", key_l: "喜欢", key_b: "画笔", key_e: "橡皮",
  key_brackets: "缩小或放大画笔", key_zoom: "放大、缩小、适合窗口", key_arrows: "移动放大的画面", key_numbers: "选择画风", key_undo: "撤销、重做",
};
