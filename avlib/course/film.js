// Of avlib.course.film: the cursor under each film of this page follows the film's own time.
// Media events do not bubble, but whoever listens at the document hears them on their way down, of
// films that come later, too.
(() => {
  if (window.avlibFilms) return;
  window.avlibFilms = true;
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

  function go(video, time) {
    video.currentTime = Math.min(of(video).dataset.seconds, Math.max(0, time));
  }

  // Before JupyterLab hears of it, whose arrow keys would lead to the next heading: a film's keys are
  // the film's, and the same in every browser. Seconds to go; space plays and stops.
  const STEPS = { " ": 0, ",": -0.1, ".": 0.1, ArrowLeft: -0.5, ArrowRight: 0.5, Home: -Infinity, End: Infinity };
  window.addEventListener("keydown", (event) => {
    const video = event.target, step = STEPS[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!(video instanceof HTMLVideoElement) || !of(video)) return;
    event.stopPropagation();
    event.preventDefault();
    if (!step && video.paused) return void video.play();
    video.pause();
    if (step) go(video, video.currentTime + step);
  }, true);
  document.addEventListener("click", (event) => {
    const chart = event.target.closest?.(".avlib-film [data-of=chart]");
    if (!chart) return;
    const { seconds, left, right } = of(chart).dataset, box = chart.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - left) / (right - left);
    go(of(chart).querySelector("video"), share * seconds);
  });
})();
