// Of avlib.course.film: the cursor under each film of this page follows the film's own time.
// Media events do not bubble, but whoever listens at the document hears them on their way down, of
// films that come later, too.
(() => {
  if (window.avlibFilms) return;
  window.avlibFilms = true;
  const STEP_S = 0.1;
  const of = (target) => target?.closest?.(".avlib-film");
  const part = (figure, name) => figure.querySelector(`[data-of=${name}]`);

  function place(video) {
    const figure = of(video), { seconds, left, right } = figure.dataset;
    const share = Math.min(1, video.currentTime / seconds);
    part(figure, "cursor").style.left = `${100 * (+left + share * (right - left))}%`;
    part(figure, "time").textContent = video.currentTime.toFixed(2);
  }

  function follow(video) {
    if (!video.isConnected) return; // another film stands in its place
    place(video);
    if (!video.paused && !video.ended) requestAnimationFrame(() => follow(video));
  }

  function fail(video) {
    if (video.src.startsWith("data:")) { // there are browsers that play no film from there
      const bytes = Uint8Array.from(atob(video.src.split(",")[1]), (one) => one.charCodeAt(0));
      video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
      return;
    }
    const problem = part(of(video), "problem");
    problem.textContent = `This browser cannot play the film (${video.error?.message || "H.264 and AAC"}).`;
    problem.hidden = false;
  }

  const listen = (names, react) => names.split(" ").forEach((name) => document.addEventListener(name, (event) => {
    if (event.target instanceof HTMLVideoElement && of(event.target)) react(event.target);
  }, true));
  listen("play", (video) => {
    for (const other of document.querySelectorAll(".avlib-film video")) if (other !== video) other.pause();
    follow(video);
  });
  listen("timeupdate seeking seeked loadedmetadata pause ended", place);
  listen("error", fail);
  // Before JupyterLab hears of it, whose arrow keys would lead to the next heading: a film's keys are
  // the film's, and the same in every browser.
  const KEYS = {
    " ": (video) => (video.paused ? video.play() : video.pause()),
    ",": (video) => go(video, video.currentTime - STEP_S),
    ".": (video) => go(video, video.currentTime + STEP_S),
    ArrowLeft: (video) => go(video, video.currentTime - 5 * STEP_S),
    ArrowRight: (video) => go(video, video.currentTime + 5 * STEP_S),
    Home: (video) => go(video, 0),
    End: (video) => go(video, video.duration),
  };

  function go(video, time) {
    video.pause();
    video.currentTime = Math.min(video.duration, Math.max(0, time));
  }

  window.addEventListener("keydown", (event) => {
    const video = event.target, act = KEYS[event.key];
    if (!act || !(video instanceof HTMLVideoElement) || !of(video)) return;
    event.stopPropagation();
    event.preventDefault();
    act(video);
  }, true);
  document.addEventListener("click", (event) => {
    const chart = event.target.closest?.(".avlib-film [data-of=chart]");
    if (!chart) return;
    const { seconds, left, right } = of(chart).dataset, box = chart.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    of(chart).querySelector("video").currentTime = Math.min(1, Math.max(0, share)) * seconds;
  });
})();
