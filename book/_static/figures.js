// Draws every figure of a page when it comes near the window, in the colours of the page, and connects its controls.
(() => {
  "use strict";
  const NARROW = 560; // px: a phone
  const PAPER_INK = /"#7D7D7D"/g; // the library's grey for text, which has to suit any background; a page knows its own
  const STEP_MS = 350;
  const dark = () => document.documentElement.dataset.theme === "dark";
  const ink = () => (dark() ? "#c9d1d9" : "#4c4f54");

  function content(figure) {
    const text = figure.querySelector("script").textContent.replace(PAPER_INK, JSON.stringify(ink()));
    const { data, layout, controls } = JSON.parse(text);
    layout.autosize = true;
    if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // a finger scrolls the page
    if (figure.clientWidth < NARROW) {
      layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.22, yanchor: "top" };
      layout.margin = { ...layout.margin, r: Math.min(layout.margin?.r ?? 20, 12) };
    }
    return { data, layout, controls };
  }

  function settings() {
    return { responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  }

  async function draw(figure) {
    const area = figure.querySelector(".plot-area");
    const { data, layout, controls } = content(figure);
    await Plotly.react(area, data, layout, settings());
    figure.querySelectorAll("[data-control]").forEach((input, k) => {
      figure.controls ??= [];
      figure.controls[k] = controls[k];
      if (Number(input.value) !== controls[k].active) apply(figure, input, k);
    });
    figure.classList.add("drawn");
  }

  function apply(figure, input, k) {
    const step = figure.controls[k].steps[Number(input.value)];
    const area = figure.querySelector(".plot-area");
    const args = structuredClone(step.args);
    if (step.method === "restyle") Plotly.restyle(area, ...args);
    else if (step.method === "relayout") Plotly.relayout(area, ...args);
    else Plotly.update(area, ...args);
    input.setAttribute("aria-valuetext", step.label);
    const output = input.parentElement.querySelector("output");
    if (output) output.textContent = step.label;
  }

  function connect(figure) {
    figure.querySelectorAll("[data-control]").forEach((input, k) => {
      input.addEventListener("input", () => figure.controls && apply(figure, input, k));
      const button = input.parentElement.querySelector(".play");
      if (button) button.addEventListener("click", () => play(figure, input, button));
    });
  }

  function play(figure, input, button) {
    const stop = () => {
      clearInterval(figure.playing);
      figure.playing = null;
      button.textContent = "▶";
      button.setAttribute("aria-label", "play");
    };
    if (figure.playing) return stop();
    if (Number(input.value) === Number(input.max)) input.value = 0;
    else input.value = Number(input.value) + 1;
    input.dispatchEvent(new Event("input"));
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
    figure.playing = setInterval(() => {
      if (Number(input.value) >= Number(input.max)) return stop();
      input.value = Number(input.value) + 1;
      input.dispatchEvent(new Event("input"));
    }, STEP_MS);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const figures = [...document.querySelectorAll("figure.plot")];
    const near = new IntersectionObserver(
      (entries) => {
        for (const entry of entries.filter((e) => e.isIntersecting)) {
          near.unobserve(entry.target);
          draw(entry.target);
        }
      },
      { rootMargin: "600px" },
    );
    figures.forEach((figure) => {
      connect(figure);
      near.observe(figure);
    });
    const drawn = () => figures.filter((figure) => figure.classList.contains("drawn"));
    new MutationObserver(() => drawn().forEach(draw)).observe(document.documentElement, {
      attributeFilter: ["data-theme"],
    });
    // A figure inside a fold that was closed when it was drawn has no width yet; printing needs them all.
    document.addEventListener("toggle", (e) => e.target.querySelectorAll?.("figure.plot.drawn").forEach(draw), true);
    window.addEventListener("beforeprint", () => figures.forEach(draw));
  });
})();
