// What does not fit can be scrolled sideways; then the keyboard must be able to reach it.
(() => {
  "use strict";
  function reach() {
    for (const box of document.querySelectorAll('mjx-container[display="true"], .table-scroll, .plot-scroll')) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    reach();
    new ResizeObserver(reach).observe(document.querySelector(".bd-article") ?? document.body);
  });
})();
