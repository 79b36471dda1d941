// Of avlib.course.comparison_widgets: a confusion matrix whose cells are buttons. One of them can be
// reached by the tab key; the arrow keys go on from it, over cells that count nothing.
function wire({ model, el }) {
  el.innerHTML = model.get("table");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves the keys in here alone
  const buttons = [...el.querySelectorAll("button")];
  const at = (button) => button.dataset.cell.split(" ").map(Number);

  function mark() {
    const [row, column] = model.get("value");
    for (const button of buttons) {
      const chosen = button.dataset.cell === `${row} ${column}`;
      button.setAttribute("aria-pressed", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
  }

  // Pressed once more, a cell gives its next clip: the third number is which.
  el.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const [row, column] = at(button), before = model.get("value");
    const again = before[0] === row && before[1] === column;
    model.set("value", [row, column, again ? (before[2] % +button.textContent) + 1 : 1]);
    model.save_changes();
    button.focus();
  });

  const WAYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  el.addEventListener("keydown", (event) => {
    const way = WAYS[event.key], button = event.target.closest("button");
    if (!way || !button) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, column] = at(button);
    for (let step = 1; step < 8; step++) {
      const next = el.querySelector(`[data-cell="${row + step * way[0]} ${column + step * way[1]}"]`);
      if (!next) continue;
      button.tabIndex = -1;
      next.tabIndex = 0;
      return void next.focus();
    }
  });

  model.on("change:value", mark);
  mark();
}

export default { render: wire };
