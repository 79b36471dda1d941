"""A film in a real page, played and moved by keyboard and mouse: what its tests share."""

import numpy as np
import pytest

PLAYING_S = 0.1  # that the cursor may be off while the film runs (in nine looks of ten); at rest:
RESTING_S = 0.01

_WHERE = """(video) => {
    const figure = video.closest(".avlib-film"), {seconds, left, right} = figure.dataset;
    const at = parseFloat(figure.querySelector("[data-of=cursor]").style.left) / 100;
    return [video.currentTime, seconds * (at - left) / (right - left)];
}"""
_TO_THE_END = f"""async (video) => {{
    const where = {_WHERE}, found = [], begun = performance.now();
    let drawn = begun; // when the page last drew: on a busy machine that can be long ago
    const tick = () => {{
        drawn = performance.now();
        if (!video.ended) requestAnimationFrame(tick);
    }};
    tick();
    const said = video.closest(".avlib-film").querySelector("[data-of=problem]");
    while (!video.ended && performance.now() - begun < 60_000) {{
        await new Promise((next) => setTimeout(next, 50));
        await new Promise((next) => requestAnimationFrame(() => setTimeout(next))); // just drawn
        if (!video.paused) found.push([...where(video), (performance.now() - drawn) / 1000]);
    }}
    const frames = video.getVideoPlaybackQuality().totalVideoFrames;
    return {{found, last: where(video), ended: video.ended, duration: video.duration, frames,
        heard: video.webkitAudioDecodedByteCount, size: [video.videoWidth, video.videoHeight],
        problem: said.hidden ? "" : said.textContent}};
}}"""


def ready(page: object, film: object) -> object:
    """The video of a film, as soon as a picture is there."""
    video = film.locator("video")
    page.wait_for_function("(video) => video.readyState >= 2", arg=video.element_handle())
    return video


def play_to_the_end(page: object, film: object) -> float:
    """Press space and watch; returns how far the cursor was off at most, in seconds."""
    video = ready(page, film)
    video.scroll_into_view_if_needed()
    video.focus()
    video.press("Home")
    video.press("Space")
    told = video.evaluate(_TO_THE_END)
    assert told["ended"], told
    assert not told["problem"]
    assert told["frames"] > 20
    assert told["heard"] > 0
    assert told["last"] == pytest.approx([told["duration"]] * 2, abs=RESTING_S)
    times, cursor, since = np.array(told["found"]).T
    assert len(times) >= 3
    off = np.abs(times - cursor)
    assert (np.quantile(off - since, 0.9)) <= PLAYING_S, told["found"]
    assert np.ptp(cursor) > 0.5
    return float(off.max())


def move_by_keyboard(page: object, film: object) -> None:
    """Each key goes where it should, and the cursor with it."""
    video = ready(page, film)
    video.focus()
    length = video.evaluate("(video) => video.duration")
    steps = {
        "Home": 0,
        ".": 0.1,
        "..": 0.3,
        ",": 0.2,
        "End": length,
        "Home ": 0,
        "ArrowRight": 0.5,
        "ArrowLeft": 0,
    }
    for keys, expected in steps.items():
        for key in [keys.strip()] if keys.strip().isalpha() else keys:
            video.press(key)
            page.wait_for_function("(video) => !video.seeking", arg=video.element_handle())
        assert video.evaluate(_WHERE) == pytest.approx([expected] * 2, abs=RESTING_S), keys
    assert video.evaluate("(video) => video === document.activeElement")


def move_by_mouse(page: object, film: object) -> None:
    """A click below the film goes to that time."""
    video, chart = ready(page, film), film.locator("[data-of=chart]")
    box = chart.bounding_box()
    left, right = (float(film.get_attribute(f"data-{side}")) for side in ("left", "right"))
    length = video.evaluate("(video) => video.duration")
    for share in (0.25, 0.75):
        x = box["width"] * (left + share * (right - left))
        chart.click(position={"x": x, "y": box["height"] / 2})
        page.wait_for_function("(video) => !video.seeking", arg=video.element_handle())
        assert video.evaluate(_WHERE) == pytest.approx([share * length] * 2, abs=0.03)
